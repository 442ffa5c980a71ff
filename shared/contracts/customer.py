"""What the customer service says. The subject is always the customer (DOMAIN E3)."""

from typing import Any, ClassVar, Literal

from shared.contracts.envelope import Code, Currency, Dims, Event, Minor, Moment


class CustomerEvent(Event):
    SUBJECT: ClassVar[str] = "customer"
    customer_id: Code
    dims: Dims = {}


class CustomerCreated(CustomerEvent):
    """A customer file was opened (S0-34 一客一档). `provisional`: heard of before any registration."""

    TYPE: ClassVar[str] = "manyi.customer.created.v1"
    code: Code
    kind: Literal["direct", "indirect"] = "direct"
    lifecycle: Code = "prospect"
    grade: Code | None = None
    owner_id: Code | None = None
    source_channel: Code | None = None
    lawful_basis: Code | None = None
    partner_id: Code | None = None
    contact_at: Moment | None = None
    provisional: bool = False


class CustomerUpdated(CustomerEvent):
    """Fields of a file changed; `values` holds the new values of non-personal fields alone."""

    TYPE: ClassVar[str] = "manyi.customer.updated.v1"
    changed: list[Code]
    values: dict[str, Any] = {}
    provisional: bool = False


class PurchaseRecorded(CustomerEvent):
    """A valid order of the customer; `occurred_at` is when it was placed."""

    TYPE: ClassVar[str] = "manyi.customer.purchase.recorded.v1"
    purchase_id: Code
    product_line: Code | None = None
    amount: Minor
    currency: Currency
    occurred_at: Moment


class PurchasePaid(CustomerEvent):
    """The customer paid the order."""

    TYPE: ClassVar[str] = "manyi.customer.purchase.paid.v1"
    purchase_id: Code
    method: Code | None = None


class PurchaseCancelled(CustomerEvent):
    """The whole order is void; amount, dims and `occurred_at` repeat those of the purchase."""

    TYPE: ClassVar[str] = "manyi.customer.purchase.cancelled.v1"
    purchase_id: Code
    amount: Minor
    currency: Currency
    occurred_at: Moment


class PurchaseRefunded(CustomerEvent):
    """Money went back: `refunded` in all so far; `full` once nothing of the amount is left (then it is void)."""

    TYPE: ClassVar[str] = "manyi.customer.purchase.refunded.v1"
    purchase_id: Code
    amount: Minor
    refunded: Minor
    full: bool
    currency: Currency
    occurred_at: Moment


class ContractSigned(CustomerEvent):
    """A contract runs from `starts_at`, without `ends_at` open-ended; `monthly_amount` is the recurring revenue."""

    TYPE: ClassVar[str] = "manyi.customer.contract.signed.v1"
    contract_id: Code
    product_line: Code | None = None
    monthly_amount: Minor
    currency: Currency
    starts_at: Moment
    ends_at: Moment | None = None


class ContractChanged(CustomerEvent):
    """The recurring amount differs from `at` on."""

    TYPE: ClassVar[str] = "manyi.customer.contract.changed.v1"
    contract_id: Code
    monthly_amount: Minor
    currency: Currency
    at: Moment


class ContractRenewed(CustomerEvent):
    """The contract runs on to `ends_at`, or open-ended."""

    TYPE: ClassVar[str] = "manyi.customer.contract.renewed.v1"
    contract_id: Code
    ends_at: Moment | None = None
    at: Moment


class ContractEnded(CustomerEvent):
    """The contract is over from `ended_at` on."""

    TYPE: ClassVar[str] = "manyi.customer.contract.ended.v1"
    contract_id: Code
    ended_at: Moment
    reason: Code | None = None


class ContactAdded(CustomerEvent):
    """A person at the customer is known; name, post and addresses stay in the customer service."""

    TYPE: ClassVar[str] = "manyi.customer.contact.added.v1"
    contact_id: Code


class ContactChanged(CustomerEvent):
    """What is known of a person changed; the names of the fields alone."""

    TYPE: ClassVar[str] = "manyi.customer.contact.changed.v1"
    contact_id: Code
    changed: list[Code]


class ContactProductsLinked(CustomerEvent):
    """The product lines a person has to do with, all of them: surveys of a line ask these people (S4-14)."""

    TYPE: ClassVar[str] = "manyi.customer.contact.linked.v1"
    contact_id: Code
    product_lines: list[Code]


class CustomerLifecycleChanged(CustomerEvent):
    """The customer is at another stage (S3-13): by an order, a contract, or because time passed without any."""

    TYPE: ClassVar[str] = "manyi.customer.lifecycle.changed.v1"
    before: Code
    after: Code
    cause: Code


class CustomerGraded(CustomerEvent):
    """The customer has another grade (S3-07): by `rfm`, with the three scores, or by somebody's `override`."""

    TYPE: ClassVar[str] = "manyi.customer.graded.v1"
    before: Code | None = None
    after: Code
    cause: Literal["rfm", "override"]
    recency: int | None = None
    frequency: int | None = None
    money: int | None = None


class InteractionLogged(CustomerEvent):
    """Somebody spoke with the customer (S0-01, S2-12); what was said stays in the customer service."""

    TYPE: ClassVar[str] = "manyi.customer.interaction.logged.v1"
    interaction_id: Code
    kind: Code
    channel: Code | None = None
    at: Moment
    staff_id: Code | None = None
    needs: list[Code] = []


class ErasureCompleted(CustomerEvent):
    """A person was forgotten: the key is destroyed (PIPL 47). Without `contact_id` the customer with all contacts.

    `services` held something under the key; the last raw copies expire at `intake_empty_at` and `quarantine_empty_at`.
    `files` are all that were forgotten by this request: the customer's, and those that were merged into it.
    """

    TYPE: ClassVar[str] = "manyi.customer.erasure.completed.v1"
    request_id: Code
    contact_id: Code | None = None
    completed_at: Moment
    services: list[Code]
    intake_empty_at: Moment
    quarantine_empty_at: Moment
    files: list[Code] = []


SAYS: tuple[type[Event], ...] = (
    CustomerCreated,
    CustomerUpdated,
    PurchaseRecorded,
    PurchasePaid,
    PurchaseCancelled,
    PurchaseRefunded,
    ContractSigned,
    ContractChanged,
    ContractRenewed,
    ContractEnded,
    ContactAdded,
    ContactChanged,
    ContactProductsLinked,
    CustomerLifecycleChanged,
    CustomerGraded,
    InteractionLogged,
    ErasureCompleted,
)
