"""What the customer service says. The subject is always the customer (DOMAIN E3)."""

from typing import Any, ClassVar, Literal

from pydantic import BaseModel

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


class KeyChangeEvent(CustomerEvent):
    request_id: Code


class KeyChangeRequested(KeyChangeEvent):
    """Somebody asks to change key fields (S2-19); the old values stay in force, the new ones in this service."""

    TYPE: ClassVar[str] = "manyi.customer.keychange.requested.v1"
    fields: list[Code]
    steps: list[Code]
    requester: Code
    due_at: Moment | None = None


class KeyChangeStepApproved(KeyChangeEvent):
    """One step of the chain agreed."""

    TYPE: ClassVar[str] = "manyi.customer.keychange.stepapproved.v1"
    step: int
    role: Code
    by: Code
    on_behalf_of: Code | None = None


class KeyChangeReturned(KeyChangeEvent):
    """One step asks whoever asked for a correction; the reason stays in this service."""

    TYPE: ClassVar[str] = "manyi.customer.keychange.returned.v1"
    step: int
    role: Code
    by: Code
    on_behalf_of: Code | None = None


class KeyChangeResubmitted(KeyChangeEvent):
    """Corrected, it is decided on anew from the first step; no approval of the rounds before counts."""

    TYPE: ClassVar[str] = "manyi.customer.keychange.resubmitted.v1"
    fields: list[Code]
    steps: list[Code]
    due_at: Moment | None = None


class KeyChangeDecided(KeyChangeEvent):
    """The request is approved, and the file changes; or it is rejected, withdrawn or lapsed."""

    TYPE: ClassVar[str] = "manyi.customer.keychange.decided.v1"
    outcome: Code


class KeyChangeEscalated(KeyChangeEvent):
    """Nobody decided in time: the holders of the role `to` hear of it, level by level (S0-02)."""

    TYPE: ClassVar[str] = "manyi.customer.keychange.escalated.v1"
    step: int
    to: Code
    people: list[Code] = []
    level: int = 1


class KeyChangeRescheduled(KeyChangeEvent):
    """The business calendar was edited, and the deadline counted anew; it may be the same (Q1)."""

    TYPE: ClassVar[str] = "manyi.customer.keychange.rescheduled.v1"
    due_before: Moment
    due_at: Moment
    calendar_version: Code


class MergeRequestEvent(CustomerEvent):
    merge_id: Code


class MergeRequested(MergeRequestEvent):
    """Somebody asks to make one file of two (S2-15); said on the one that would survive."""

    TYPE: ClassVar[str] = "manyi.customer.merge.requested.v1"
    merged_id: Code
    steps: list[Code]
    requester: Code
    due_at: Moment | None = None


class MergeStepApproved(MergeRequestEvent):
    """One step of the chain agreed."""

    TYPE: ClassVar[str] = "manyi.customer.merge.stepapproved.v1"
    step: int
    role: Code
    by: Code
    on_behalf_of: Code | None = None


class MergeReturned(MergeRequestEvent):
    """One step asks whoever asked for a better reason; its own reason stays in this service."""

    TYPE: ClassVar[str] = "manyi.customer.merge.returned.v1"
    step: int
    role: Code
    by: Code
    on_behalf_of: Code | None = None


class MergeResubmitted(MergeRequestEvent):
    """Corrected, it is decided on anew from the first step; no approval of the rounds before counts."""

    TYPE: ClassVar[str] = "manyi.customer.merge.resubmitted.v1"
    steps: list[Code]
    due_at: Moment | None = None


class MergeDecided(MergeRequestEvent):
    """The request is approved, and the files are merged; or it is rejected, withdrawn or lapsed."""

    TYPE: ClassVar[str] = "manyi.customer.merge.decided.v1"
    outcome: Code


class MergeEscalated(MergeRequestEvent):
    """Nobody decided in time: the holders of the role `to` hear of it, level by level (S0-02)."""

    TYPE: ClassVar[str] = "manyi.customer.merge.escalated.v1"
    step: int
    to: Code
    people: list[Code] = []
    level: int = 1


class MergeRescheduled(MergeRequestEvent):
    """The business calendar was edited, and the deadline counted anew; it may be the same (Q1)."""

    TYPE: ClassVar[str] = "manyi.customer.merge.rescheduled.v1"
    due_before: Moment
    due_at: Moment
    calendar_version: Code


class CustomersMerged(CustomerEvent):
    """Two files are one (S0-34, S2-15); said on both subjects. What the merged one bought belongs to the survivor."""

    TYPE: ClassVar[str] = "manyi.customer.merged.v1"
    merge_id: Code
    survivor_id: Code
    merged_id: Code
    contacted_at: Moment | None = None
    """When the merged one was last spoken with."""


class CustomersUnmerged(CustomerEvent):
    """The two files are two again; said on both subjects."""

    TYPE: ClassVar[str] = "manyi.customer.unmerged.v1"
    merge_id: Code
    survivor_id: Code
    merged_id: Code


class PurchaseAdopted(CustomerEvent):
    """An order belongs to this customer now, as it stands, at its original time."""

    TYPE: ClassVar[str] = "manyi.customer.purchase.adopted.v1"
    merge_id: Code
    from_id: Code
    purchase_id: Code
    product_line: Code | None = None
    amount: Minor
    refunded: Minor = 0
    cancelled: bool = False
    paid: bool = False
    currency: Currency
    occurred_at: Moment


class PurchaseReleased(CustomerEvent):
    """An order belongs to this customer no longer."""

    TYPE: ClassVar[str] = "manyi.customer.purchase.released.v1"
    merge_id: Code
    to_id: Code
    purchase_id: Code


class AmountChange(BaseModel):
    """The recurring amount of a contract from an instant on."""

    model_config = Event.model_config
    at: Moment
    monthly_amount: Minor


class ContractAdopted(CustomerEvent):
    """A contract belongs to this customer now, as it stands; `monthly_amount` as signed, then its changes as told."""

    TYPE: ClassVar[str] = "manyi.customer.contract.adopted.v1"
    merge_id: Code
    from_id: Code
    contract_id: Code
    product_line: Code | None = None
    monthly_amount: Minor
    changes: list[AmountChange] = []
    currency: Currency
    starts_at: Moment
    ends_at: Moment | None = None
    ended: bool = False


class ContractReleased(CustomerEvent):
    """A contract belongs to this customer no longer."""

    TYPE: ClassVar[str] = "manyi.customer.contract.released.v1"
    merge_id: Code
    to_id: Code
    contract_id: Code


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
    KeyChangeRequested,
    KeyChangeStepApproved,
    KeyChangeReturned,
    KeyChangeResubmitted,
    KeyChangeDecided,
    KeyChangeEscalated,
    KeyChangeRescheduled,
    MergeRequested,
    MergeStepApproved,
    MergeReturned,
    MergeResubmitted,
    MergeDecided,
    MergeEscalated,
    MergeRescheduled,
    CustomersMerged,
    CustomersUnmerged,
    PurchaseAdopted,
    PurchaseReleased,
    ContractAdopted,
    ContractReleased,
    ContactAdded,
    ContactChanged,
    ContactProductsLinked,
    CustomerLifecycleChanged,
    CustomerGraded,
    InteractionLogged,
    ErasureCompleted,
)
