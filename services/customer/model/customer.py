"""State of one customer file and how each event changes it (S0-34 一客一档)."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from pydantic import computed_field

from services.customer.model.cared import CareDay, Commitment, Greeting, Invitation, Opportunity, looked_after
from services.customer.model.cleaning import Cleaning, cleaned
from services.customer.model.consents import Consent, consented
from services.customer.model.entitled import Entitlement, entitled
from services.customer.model.naming import company_parts, normal_email, normal_name, normal_phone
from services.customer.model.parts import (
    Contact,
    Contract,
    Interaction,
    KeyChange,
    MergeRequest,
    Purchase,
    contract_after,
    key_change_after,
    merge_request_after,
    purchase_after,
)
from services.customer.model.planned import Plan
from services.customer.model.spoken import joined, parted, spoken
from services.customer.model.telling_apart import ToldApart, told_apart
from shared.contracts import care, consent, duplicates, quality
from shared.contracts import customer as said
from shared.contracts.entitlements import EntitlementEvent
from shared.contracts.envelope import Event
from shared.contracts.state import Part, State
from shared.policy.timers import Timer, soonest

PERSONAL = ("name", "phone", "email", "address", "needs")
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


def evolve(state: Customer | None, event: Event, private: Mapping[str, Any]) -> Customer:
    """Fold one event, public and private part, into the state."""
    if isinstance(event, said.CustomerCreated):
        return _created(event, private)
    if state is None:
        raise ValueError(f"{event.TYPE} cannot be the first event of a customer")
    match event:
        case said.CustomerUpdated():
            return _updated(state, event, private)
        case said.CustomersMerged() | said.CustomersUnmerged():
            return _regrouped(state, event)
        case said.PurchaseReleased():
            kept = {name: one for name, one in state.purchases.items() if name != event.purchase_id}
            return state.model_copy(update={"purchases": kept, "ordered_at": None})
        case said.ContractReleased():
            left = {name: one for name, one in state.contracts.items() if name != event.contract_id}
            return state.model_copy(update={"contracts": left, "contracted_until": None})
        case (
            said.PurchaseRecorded()
            | said.PurchaseAdopted()
            | said.PurchasePaid()
            | said.PurchaseCancelled()
            | said.PurchaseRefunded()
        ):
            purchase = purchase_after(state.purchases.get(event.purchase_id), event, private)
            orders = {**state.purchases, event.purchase_id: purchase}
            return state.model_copy(update={"purchases": orders, "ordered_at": _ordered_at(state, purchase)})
        case (
            said.ContractSigned()
            | said.ContractAdopted()
            | said.ContractChanged()
            | said.ContractRenewed()
            | said.ContractEnded()
        ):
            contract = contract_after(state.contracts.get(event.contract_id), event, private)
            until = _contracted_until(state, event)
            return state.model_copy(
                update={"contracts": {**state.contracts, event.contract_id: contract}, "contracted_until": until}
            )
        case said.ContactAdded():
            contacts = {**state.contacts, event.contact_id: Contact.model_validate(private)}
            return state.model_copy(update={"contacts": contacts})
        case said.KeyChangeEvent():
            asked = key_change_after(state.key_changes.get(event.request_id), event, private)
            return state.model_copy(update={"key_changes": {**state.key_changes, event.request_id: asked}})
        case said.MergeRequestEvent():
            wanted = merge_request_after(state.merge_requests.get(event.merge_id), event, private)
            return state.model_copy(update={"merge_requests": {**state.merge_requests, event.merge_id: wanted}})
        case said.ContactChanged():
            contact = Contact.model_validate({**state.contacts[event.contact_id].model_dump(), **private})
            return state.model_copy(update={"contacts": {**state.contacts, event.contact_id: contact}})
        case said.ContactProductsLinked():
            contact = state.contacts[event.contact_id].model_copy(update={"product_lines": event.product_lines})
            return state.model_copy(update={"contacts": {**state.contacts, event.contact_id: contact}})
        case said.ErasureCompleted():
            return _erased(state, event)
        case said.CustomerLifecycleChanged():
            return state.model_copy(update={"lifecycle": event.after})
        case said.CustomerGraded():
            return state.model_copy(update={"grade": event.after, "grade_fixed": event.cause == "override"})
        case said.InteractionLogged():
            logged = Interaction.model_validate({**event.model_dump(), **private})
            conversations = {**state.interactions, event.interaction_id: logged}
            return state.model_copy(update={"interactions": conversations, **spoken(state, event.at)})
        case EntitlementEvent():
            return state.model_copy(update=entitled(state, event, private))
        case care.CareEvent():
            return state.model_copy(update=looked_after(state, event, private))
        case consent.ConsentEvent():
            return state.model_copy(update={"consents": consented(state, event, private)})
        case duplicates.LikenessEvent():
            return state.model_copy(update=told_apart(state, event, private))
        case quality.QualityEvent():
            return state.model_copy(update=cleaned(state, event, private))
        case _:
            raise ValueError(f"{event.TYPE} is not an event of a customer")


def _created(event: said.CustomerCreated, private: Mapping[str, Any]) -> Customer:
    fields = event.model_dump()
    fields["channel"] = fields.pop("source_channel")
    fields["contacted_at"] = fields["contact_at"]
    dims = fields.pop("dims")
    own = {name: dims.pop(name) for name in DIMENSIONS if name in dims and name != "kind"}
    return Customer.model_validate({**fields, **own, "dims": _without_source(dims), **private})


def _updated(state: Customer, event: said.CustomerUpdated, private: Mapping[str, Any]) -> Customer:
    told_at = {**state.told_at, **private.get("told_at", {})}
    known_as = {**state.known_as, **private.get("known_as", {})}
    fields = {**event.values, **private, "told_at": told_at, "known_as": known_as, "provisional": event.provisional}
    fields["erased_at"] = state.erased_at if event.provisional else None
    if "dims" in event.values:
        fields["dims"] = {**state.dims, **event.values["dims"]}
    return Customer.model_validate({**state.model_dump(exclude=set(Customer.PARTS)), **fields, **_parts(state)})


def _regrouped(state: Customer, event: said.CustomersMerged | said.CustomersUnmerged) -> Customer:
    """Merged away a file has no business of its own, until it is unmerged."""
    together = isinstance(event, said.CustomersMerged)
    if state.customer_id == event.merged_id:
        fields: dict[str, Any] = {"merged_into": event.survivor_id if together else None}
        if together:
            given_up: dict[str, Any] = {"purchases": {}, "contracts": {}, "entitlements": {}}
            fields.update(given_up | {"ordered_at": None, "contracted_until": None})
        return state.model_copy(update=fields)
    others = [one for one in state.absorbed if one != event.merged_id]
    if isinstance(event, said.CustomersMerged):
        heard = joined(state, event.merged_id, event.contacted_at)
        return state.model_copy(update={"absorbed": [*others, event.merged_id], **heard})
    return state.model_copy(update={"absorbed": others, **parted(state, event.merged_id)})


def _erased(state: Customer, event: said.ErasureCompleted) -> Customer:
    """Nothing personal is left; the parts of a whole file are emptied where they are stored."""
    if event.contact_id is not None:
        contact = Contact(product_lines=state.contacts[event.contact_id].product_lines)
        days = {name: one for name, one in state.care_days.items() if one.contact_id != event.contact_id}
        wished = {name: one for name, one in state.greetings.items() if one.contact_id != event.contact_id}
        contacts = {**state.contacts, event.contact_id: contact}
        return state.model_copy(update={"contacts": contacts, "care_days": days, "greetings": wished})
    emptied: dict[str, Any] = dict.fromkeys((*PERSONAL, *OPEN))
    emptied |= {"known_as": {}, "told_at": {}, "provisional": True, "erased_at": event.completed_at, "timers": {}}
    return state.model_copy(update=emptied)


def _ordered_at(state: Customer, purchase: Purchase) -> datetime | None:
    if not purchase.void:
        return max(state.ordered_at or purchase.occurred_at, purchase.occurred_at)
    return None if state.ordered_at == purchase.occurred_at else state.ordered_at


def _contracted_until(state: Customer, event: said.CustomerEvent) -> datetime | None:
    match event:
        case said.ContractSigned() | said.ContractAdopted():
            end = event.ends_at or FOR_EVER
            return max(state.contracted_until or end, end)
        case said.ContractChanged():
            return state.contracted_until
        case _:
            return None


def _parts(state: Customer) -> dict[str, Any]:
    return {name: getattr(state, name) for name in Customer.PARTS}


def _without_source(dims: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in dims.items() if name not in ("source", *DIMENSIONS)}
