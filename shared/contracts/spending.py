"""What the customer service says of requests for money: gifts, expenses, procurement, and the budgets they draw on.

A request is a subject of its own, under the key of the customer it is about where there is one. Reasons and purposes
stay in the service. Amounts are in minor currency units (分).
"""

from typing import ClassVar, Literal

from shared.contracts.envelope import Code, Currency, Dims, Event, Minor, Moment

Kind = Literal["gift", "expense", "purchase"]


class RequestEvent(Event):
    SUBJECT: ClassVar[str] = "request"
    request_id: Code
    kind: Kind
    dims: Dims = {}


class SpendingRequested(RequestEvent):
    """Somebody asks for money (S0-31, S0-40, S3-06), for these customers where it is about any.

    `steps` are the roles that decide, in order, until `due_at`; `budget` is what it draws on. With `authorised_by` it
    was authorised at once, and the steps are the record of it (S0-32). `occasion` says what a gift is for.
    """

    TYPE: ClassVar[str] = "manyi.request.submitted.v1"
    customer_ids: list[Code] = []
    amount: Minor
    currency: Currency
    budget: Code | None = None
    requester: Code
    steps: list[Code]
    due_at: Moment | None = None
    authorised_by: Code | None = None
    occasion: Code | None = None
    visit_id: Code | None = None


class SpendingStepApproved(RequestEvent):
    """One step of the chain agreed; `late` when the deadline of the whole chain had passed."""

    TYPE: ClassVar[str] = "manyi.request.stepapproved.v1"
    step: int
    role: Code
    by: Code
    on_behalf_of: Code | None = None
    late: bool = False


class SpendingStepHandedOver(RequestEvent):
    """Who decides the waiting step lets somebody else decide it, until an instant."""

    TYPE: ClassVar[str] = "manyi.request.stephandedover.v1"
    step: int
    by: Code
    to: Code
    until: Moment


class SpendingReturned(RequestEvent):
    """One step asks whoever asked for a correction; the reason stays in the service. Meanwhile it takes no budget."""

    TYPE: ClassVar[str] = "manyi.request.returned.v1"
    step: int
    role: Code
    by: Code
    on_behalf_of: Code | None = None


class SpendingResubmitted(RequestEvent):
    """Corrected, it is decided on anew from the first step; no approval of the rounds before counts."""

    TYPE: ClassVar[str] = "manyi.request.resubmitted.v1"
    amount: Minor
    currency: Currency
    budget: Code | None = None
    steps: list[Code]
    due_at: Moment | None = None


class SpendingDecided(RequestEvent):
    """The request is through: approved, rejected, withdrawn or lapsed; after an emergency ratified or a violation."""

    TYPE: ClassVar[str] = "manyi.request.decided.v1"
    outcome: Literal["approved", "rejected", "withdrawn", "lapsed", "ratified", "violation"]
    amount: Minor
    currency: Currency


class SpendingEscalated(RequestEvent):
    """The deadline passed and the step still waits: the holders of the role `to` hear of it, level by level (S0-02)."""

    TYPE: ClassVar[str] = "manyi.request.escalated.v1"
    step: int
    to: Code
    people: list[Code] = []
    level: int = 1


class SpendingRescheduled(RequestEvent):
    """The business calendar was edited, and the deadline counted anew; it may be the same (Q1)."""

    TYPE: ClassVar[str] = "manyi.request.rescheduled.v1"
    due_before: Moment
    due_at: Moment
    calendar_version: Code


class GiftHandedOver(RequestEvent):
    """A customer has the gift."""

    TYPE: ClassVar[str] = "manyi.request.gift.handedover.v1"
    customer_id: Code
    at: Moment


class SpendingSettled(RequestEvent):
    """What was spent in the end, at most what was approved; the rest is back in the budget."""

    TYPE: ClassVar[str] = "manyi.request.settled.v1"
    amount: Minor
    spent: Minor
    currency: Currency


class BudgetChanged(Event):
    """A request takes from the budget of a quarter, or gives back (`change` below 0); `reserved` is taken in all."""

    TYPE: ClassVar[str] = "manyi.budget.changed.v1"
    SUBJECT: ClassVar[str] = "budget"
    budget_id: Code
    kind: Kind
    quarter: Code
    request_id: Code
    change: Minor
    reserved: Minor
    currency: Currency


SAYS: tuple[type[Event], ...] = (
    SpendingRequested,
    SpendingStepApproved,
    SpendingStepHandedOver,
    SpendingReturned,
    SpendingResubmitted,
    SpendingDecided,
    SpendingEscalated,
    SpendingRescheduled,
    GiftHandedOver,
    SpendingSettled,
    BudgetChanged,
)
