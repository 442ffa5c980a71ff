"""What the customer service says of people who claim their rights to their own data (S2-02, PIPL 44–47, 50)."""

from typing import ClassVar, Literal

from shared.contracts.customer import CustomerEvent
from shared.contracts.envelope import Code, Event, Moment
from shared.contracts.feedback import Target

Right = Literal["access", "copy", "transfer", "correction", "erasure", "objection"]
"""To see (45), to have a copy or hand it on (45), to have it put right (46) or erased (47), to say no to a use (44)."""


class RightEvent(CustomerEvent):
    """Base of the events about one claim. What was asked and answered in words stays in the service."""

    claim_id: Code


class RightClaimed(RightEvent):
    """Somebody, the customer or a contact, asks for what is theirs by law; `target` says by when they are answered."""

    TYPE: ClassVar[str] = "manyi.customer.right.claimed.v1"
    person_id: Code
    right: Right
    channel: Code | None = None
    at: Moment
    target: Target


class RightWarned(RightEvent):
    """The answer is due soon."""

    TYPE: ClassVar[str] = "manyi.customer.right.warned.v1"
    due_at: Moment
    at: Moment


class RightMissed(RightEvent):
    """There was no answer when it was due: `level` 0; then the next `role` is told of it, level by level."""

    TYPE: ClassVar[str] = "manyi.customer.right.missed.v1"
    due_at: Moment
    at: Moment
    level: int
    role: Code | None = None


class RightAnswered(RightEvent):
    """The person was answered; a refusal has its reason (PIPL 50)."""

    TYPE: ClassVar[str] = "manyi.customer.right.answered.v1"
    person_id: Code
    right: Right
    outcome: Literal["granted", "refused"]
    reason: Code | None = None
    due_at: Moment
    at: Moment
    late: bool


SAYS: tuple[type[Event], ...] = (RightClaimed, RightWarned, RightMissed, RightAnswered)
