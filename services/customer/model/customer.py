"""State of one customer file (S0-34 一客一档)."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import ClassVar

from pydantic import computed_field

from services.customer.model.cared import CareDay, Commitment, Greeting, Invitation, Opportunity
from services.customer.model.claims import Claim
from services.customer.model.cleaning import Cleaning
from services.customer.model.consents import Consent
from services.customer.model.entitled import Entitlement
from services.customer.model.naming import company_parts, normal_email, normal_name, normal_phone
from services.customer.model.parts import Contact, Contract, Interaction, KeyChange, MergeRequest, Purchase
from services.customer.model.planned import Plan
from services.customer.model.telling_apart import ToldApart
from shared.contracts.state import Part, State
from shared.policy.timers import Timer, soonest

CREDIT = "credit"
"""What we trust the customer to pay (S2-13): changed by approval alone, and shown to few (views/credit.py)."""
PERSONAL = ("name", "phone", "email", "address", "needs", "preferences", CREDIT)
"""Fields that never leave this service and are sealed at rest."""
BUSINESS = (
    "kind",
    "grade",
    "region",
    "industry",
    "size",
    "channel",
    "owner_id",
    "lawful_basis",
    "partner_id",
    "key_mark",
)
"""Fields that events may carry."""
OPEN = ("company", "credit_code")
"""Fields about an organisation: stored open, to be searched by, and never on the bus."""
FOR_EVER = datetime(9999, 12, 31, tzinfo=UTC)
DIMENSIONS = ("grade", "region", "industry", "size", "channel", "kind")
"""Fields copied into every fact as they were when it happened (ARCHITECTURE §3)."""


class Customer(State):
    """The head of a file. `told_at` says, field by field, when the value in force was stated: the later one wins."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({*PERSONAL, "known_as"})
    BLIND: ClassVar[Mapping[str, Callable[[str], str]]] = {
        "name": normal_name,
        "phone": normal_phone,
        "email": normal_email,
    }
    PARTS: ClassVar[Mapping[str, tuple[str, type[Part]]]] = {
        "purchases": ("purchases", Purchase),
        "contracts": ("contracts", Contract),
        "contacts": ("contacts", Contact),
        "interactions": ("interactions", Interaction),
        "key_changes": ("key_changes", KeyChange),
        "merge_requests": ("merge_requests", MergeRequest),
        "entitlements": ("entitlements", Entitlement),
        "commitments": ("commitments", Commitment),
        "plans": ("maintenance_plans", Plan),
        "care_days": ("care_days", CareDay),
        "greetings": ("greetings", Greeting),
        "cleanings": ("cleanings", Cleaning),
        "invitations": ("event_invitations", Invitation),
        "opportunities": ("opportunities", Opportunity),
        "consents": ("consents", Consent),
        "told_apart": ("told_apart", ToldApart),
        "claims": ("rights_claims", Claim),
    }

    customer_id: str
    code: str
    kind: str = "direct"
    lifecycle: str = "prospect"
    ordered_at: datetime | None = None
    """The last order; None also when the last one was cancelled: then the orders have to be asked."""
    contracted_until: datetime | None = None
    """The end of the contracts, FOR_EVER for an open one; None also when one was ended or renewed."""
    contacted_at: datetime | None = None
    """The last conversation, here or in a file merged into this one; or else when the file was opened (S1-17)."""
    own_contacted_at: datetime | None = None
    """The last one here, while other files are merged into this one."""
    contacted_elsewhere: dict[str, datetime] = {}
    """File that is merged into this one → its last conversation."""
    timers: dict[str, Timer] = {}
    """Deadlines of what is promised and planned, as long as they are open, by the id of what is due."""
    key_mark: bool = False
    """Counted among the core customers whatever the grade (S0-11)."""
    grade_fixed: bool = False
    """Somebody decided the grade, with a reason; it is not computed any more (S3-07)."""
    merged_into: str | None = None
    absorbed: list[str] = []
    """Files that were merged into this one."""
    provisional: bool = False
    grade: str | None = None
    region: str | None = None
    industry: str | None = None
    size: str | None = None
    channel: str | None = None
    owner_id: str | None = None
    lawful_basis: str | None = None
    partner_id: str | None = None
    """The channel partner through whom an indirect customer buys (S3-12)."""
    company: str | None = None
    credit_code: str | None = None
    dims: dict[str, str] = {}
    erased_at: datetime | None = None
    """Forgotten then, and not registered anew since."""
    contact_at: datetime | None = None
    verified_at: datetime | None = None
    """When somebody last found the file right; before that, the first contact counts (S3-25)."""
    told_at: dict[str, datetime] = {}
    name: str | None = None
    phone: str | None = None
    email: str | None = None
    address: str | None = None
    needs: str | None = None
    preferences: str | None = None
    """How the customer likes to be served (S2-13)."""
    credit: str | None = None
    known_as: dict[str, str] = {}
    """Source → external id."""

    purchases: dict[str, Purchase] = {}
    contracts: dict[str, Contract] = {}
    contacts: dict[str, Contact] = {}
    interactions: dict[str, Interaction] = {}
    key_changes: dict[str, KeyChange] = {}
    merge_requests: dict[str, MergeRequest] = {}
    entitlements: dict[str, Entitlement] = {}
    commitments: dict[str, Commitment] = {}
    plans: dict[str, Plan] = {}
    care_days: dict[str, CareDay] = {}
    greetings: dict[str, Greeting] = {}
    cleanings: dict[str, Cleaning] = {}
    invitations: dict[str, Invitation] = {}
    opportunities: dict[str, Opportunity] = {}
    consents: dict[str, Consent] = {}
    told_apart: dict[str, ToldApart] = {}
    claims: dict[str, Claim] = {}

    @computed_field  # type: ignore[prop-decorator]
    @property
    def timer_at(self) -> datetime | None:
        """When there is next something to tell of the deadlines; by it the due ones are found."""
        return soonest(self.timers.values())

    @computed_field  # type: ignore[prop-decorator]
    @property
    def company_parts(self) -> list[str]:
        """Stored with the head, so that a search may begin anywhere in the company's name."""
        return company_parts(self.company)

    def dims_now(self, source: str, own: Mapping[str, str], product_line: str | None) -> dict[str, str]:
        """Dimensions of a fact that happens to this customer now; what the fact itself says wins."""
        mine = {name: value for name in DIMENSIONS if (value := getattr(self, name)) is not None}
        line = {"product_line": product_line} if product_line is not None else {}
        return {**mine, **self.dims, **line, **own, "source": source}
