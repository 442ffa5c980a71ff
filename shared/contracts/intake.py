"""What other systems may tell us: the CloudEvents types understood on the three intake topics (DOMAIN E3, Intake).

Field names are camelCase on the wire. Unknown fields are refused, so that a misspelt one is not lost silently.
Amounts are integers in minor currency units. An event's CloudEvents `time` is when the fact happened; the extension
attribute `timezone` (IANA name) says whose calendar day counts, else the installation's.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shared.contracts.envelope import Code, Currency, Dims, Minor, Moment
from shared.contracts.questions import Metric, Scale

Text = Annotated[str, Field(max_length=20_000)]


class ExternalId(BaseModel):
    """A foreign id: `id` as `source` knows it. A bare string means the id in the event's own source."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    source: Code
    id: Code


Customer = Code | ExternalId


class Intake(BaseModel):
    """Base of the `data` of an intake event.

    IDENTITY names the fields that, with source and type, identify the fact for ever (ARCHITECTURE §4); an empty
    tuple means that the CloudEvents id does.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
    )
    TYPE: ClassVar[str]
    IDENTITY: ClassVar[tuple[str, ...]] = ()
    PERSONAL: ClassVar[frozenset[str]] = frozenset()
    """Fields that say something about a person: sealed where they are kept, and never in an event of ours."""


class CustomerFields(Intake):
    """What may be told of a customer's file."""

    PERSONAL: ClassVar[frozenset[str]] = frozenset(
        {"customer", "name", "phone", "email", "address", "needs", "preferences", "credit"}
    )
    customer: Code
    name: Text | None = None
    company: Text | None = None
    credit_code: Code | None = None
    phone: Text | None = None
    email: Text | None = None
    address: Text | None = None
    needs: Text | None = None
    preferences: Text | None = None
    credit: Code | None = None
    grade: Code | None = None
    region: Code | None = None
    industry: Code | None = None
    size: Code | None = None
    channel: Code | None = None
    owner_id: Code | None = None
    dims: Dims = {}


class CustomerRegistered(CustomerFields):
    """A foreign system knows this customer. Personal fields stay encrypted in the customer service."""

    TYPE: ClassVar[str] = "customer.registered"
    IDENTITY: ClassVar[tuple[str, ...]] = ("customer",)
    kind: Literal["direct", "indirect"] = "direct"
    lawful_basis: Code | None = None


class CustomerChanged(CustomerFields):
    """Fields of a known customer changed; absent fields stay as they are."""

    TYPE: ClassVar[str] = "customer.changed"


class ContactRegistered(Intake):
    """A person at a customer."""

    TYPE: ClassVar[str] = "contact.registered"
    IDENTITY: ClassVar[tuple[str, ...]] = ("customer", "contact")
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"customer", "contact", "name", "post", "phone", "email"})
    customer: Customer
    contact: Code
    name: Text | None = None
    post: Text | None = None
    phone: Text | None = None
    email: Text | None = None


class OrderPlaced(Intake):
    TYPE: ClassVar[str] = "order.placed"
    IDENTITY: ClassVar[tuple[str, ...]] = ("order",)
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"customer"})
    customer: Customer
    order: Code
    amount: Minor
    currency: Currency
    product_line: Code | None = None
    dims: Dims = {}


class OrderPaid(Intake):
    TYPE: ClassVar[str] = "order.paid"
    IDENTITY: ClassVar[tuple[str, ...]] = ("order",)
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"customer"})
    customer: Customer
    order: Code
    method: Code | None = None


class OrderCancelled(Intake):
    TYPE: ClassVar[str] = "order.cancelled"
    IDENTITY: ClassVar[tuple[str, ...]] = ("order",)
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"customer"})
    customer: Customer
    order: Code


class OrderRefunded(Intake):
    """`amount` of this one refund, at most what is left of the order; several may follow one another."""

    TYPE: ClassVar[str] = "order.refunded"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"customer"})
    customer: Customer
    order: Code
    amount: Annotated[Minor, Field(gt=0)]


class ContractSigned(Intake):
    """`startsAt` absent: from the event's time on. `endsAt` absent: open-ended."""

    TYPE: ClassVar[str] = "contract.signed"
    IDENTITY: ClassVar[tuple[str, ...]] = ("contract",)
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"customer"})
    customer: Customer
    contract: Code
    monthly_amount: Minor
    currency: Currency
    product_line: Code | None = None
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    dims: Dims = {}


class ContractChanged(Intake):
    TYPE: ClassVar[str] = "contract.changed"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"customer"})
    customer: Customer
    contract: Code
    monthly_amount: Minor


class ContractRenewed(Intake):
    TYPE: ClassVar[str] = "contract.renewed"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"customer"})
    customer: Customer
    contract: Code
    ends_at: Moment | None = None


class ContractEnded(Intake):
    TYPE: ClassVar[str] = "contract.ended"
    IDENTITY: ClassVar[tuple[str, ...]] = ("contract",)
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"customer"})
    customer: Customer
    contract: Code
    reason: Code | None = None


class InteractionLogged(Intake):
    TYPE: ClassVar[str] = "interaction.logged"
    IDENTITY: ClassVar[tuple[str, ...]] = ("interaction",)
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"customer", "note"})
    customer: Customer
    interaction: Code
    kind: Code
    channel: Code | None = None
    staff_id: Code | None = None
    needs: list[Code] = []
    note: Text | None = None


def _whole(value: Any) -> Any:
    """Accept 4.0 for 4, as spreadsheets and JavaScript write it; anything else is left for pydantic to judge."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


class IntakeAnswer(Intake):
    """One answer. With a questionnaire of ours `metric` and `scale` come from there and may be left out."""

    TYPE: ClassVar[str] = ""
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"comment", "choice"})
    question: Code
    value: Annotated[int, BeforeValidator(_whole)] | None = None
    choice: Code | None = None
    comment: Text | None = None
    metric: Metric | None = None
    scale: Annotated[Scale, Field(strict=False)] | None = None
    factor: Code | None = None
    weight: Annotated[int, Field(ge=0, le=1_000_000)] = 1


class SurveyAnswered(Intake):
    """A completed questionnaire. `campaign` names one of ours by its code; without it each answer says its scale."""

    TYPE: ClassVar[str] = "survey.answered"
    IDENTITY: ClassVar[tuple[str, ...]] = ("response",)
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"customer", "answers"})
    response: Code
    customer: Customer | None = None
    campaign: Code | None = None
    answers: Annotated[list[IntakeAnswer], Field(min_length=1, max_length=500)]
    scoring: Literal["ratio_to_max", "linear"] = "ratio_to_max"
    product_line: Code | None = None
    mode: Code = "web"
    anonymous: bool = False
    topics: list[Code] = []
    dims: Dims = {}


class ComplaintReceived(Intake):
    """An outside desk or channel received a case; the event's time is when it was opened."""

    TYPE: ClassVar[str] = "complaint.received"
    IDENTITY: ClassVar[tuple[str, ...]] = ("case",)
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"customer", "text"})
    case: Code
    customer: Customer | None = None
    kind: Literal["complaint", "inquiry", "suggestion", "praise"] = "complaint"
    channel: Code | None = None
    category: Code | None = None
    product: Code | None = None
    severity: Code | None = None
    priority: Code | None = None
    text: Text | None = None
    dims: Dims = {}


class CaseUpdated(Intake):
    """A step of a case at an outside desk, in any order; the event's time is when the step happened.

    `reopenCount` is the desk's own counter at that step: steps with n belong to cycle n + 1.
    `timeKnown` false on a resolved step: it was resolved, but the desk does not know when. `priority` and `slaKept`
    are the desk's word at closing: those of the last closed step count, on other steps they say nothing.
    """

    TYPE: ClassVar[str] = "case.updated"
    case: Code
    status: Literal["acknowledged", "assigned", "responded", "working", "waiting", "resolved", "closed"]
    reopen_count: Annotated[int, Field(ge=0, le=10_000)] = 0
    time_known: bool = True
    human: bool = True
    by: Code | None = None
    priority: Code | None = None
    sla_kept: bool | None = None
    outcome: Code | None = None


CUSTOMER_INTAKE: tuple[type[Intake], ...] = (
    CustomerRegistered,
    CustomerChanged,
    ContactRegistered,
    OrderPlaced,
    OrderPaid,
    OrderCancelled,
    OrderRefunded,
    ContractSigned,
    ContractChanged,
    ContractRenewed,
    ContractEnded,
    InteractionLogged,
)
SURVEY_INTAKE: tuple[type[Intake], ...] = (SurveyAnswered,)
FEEDBACK_INTAKE: tuple[type[Intake], ...] = (ComplaintReceived, CaseUpdated)
