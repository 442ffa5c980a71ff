"""What the customer service says of looking after customers: promises, plans, greetings (S1-17…19, S3-02, S3-23)."""

from typing import ClassVar

from shared.contracts.customer import CustomerEvent
from shared.contracts.envelope import Code, Event, Moment
from shared.contracts.feedback import Target


class CareEvent(CustomerEvent):
    """Base of the events about one customer's care; what was promised, planned or wished stays in the service."""


class CommitmentMade(CareEvent):
    """Something was promised to the customer (S3-23); `target` says by when, and when it is warned of."""

    TYPE: ClassVar[str] = "manyi.customer.commitment.made.v1"
    commitment_id: Code
    at: Moment
    responsible: Code | None = None
    target: Target


class CommitmentWarned(CareEvent):
    """A promise is due soon."""

    TYPE: ClassVar[str] = "manyi.customer.commitment.warned.v1"
    commitment_id: Code
    due_at: Moment
    at: Moment


class CommitmentMissed(CareEvent):
    """A promise was not kept when it was due: `level` 0; then the next `role` is told of it, level by level."""

    TYPE: ClassVar[str] = "manyi.customer.commitment.missed.v1"
    commitment_id: Code
    due_at: Moment
    at: Moment
    level: int
    role: Code | None = None


class CommitmentKept(CareEvent):
    """A promise was kept, in time or `late`."""

    TYPE: ClassVar[str] = "manyi.customer.commitment.kept.v1"
    commitment_id: Code
    due_at: Moment
    at: Moment
    late: bool


class CommitmentBroken(CareEvent):
    """A promise will not be kept any more."""

    TYPE: ClassVar[str] = "manyi.customer.commitment.broken.v1"
    commitment_id: Code
    due_at: Moment
    at: Moment
    reason: Code


SAYS: tuple[type[Event], ...] = (
    CommitmentMade,
    CommitmentWarned,
    CommitmentMissed,
    CommitmentKept,
    CommitmentBroken,
)
