"""What the customer service says of two files made one, or two again (S0-34, S2-15). The subject is the customer."""

from typing import ClassVar

from pydantic import BaseModel

from shared.contracts.customer import CustomerEvent
from shared.contracts.envelope import Code, Currency, Event, Minor, Moment


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


SAYS: tuple[type[Event], ...] = (
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
)
