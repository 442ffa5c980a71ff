"""What the customer service says of requests to change key fields (S2-19). The subject is the customer."""

from typing import ClassVar

from shared.contracts.customer import CustomerEvent
from shared.contracts.envelope import Code, Event, Moment


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


SAYS: tuple[type[Event], ...] = (
    KeyChangeRequested,
    KeyChangeStepApproved,
    KeyChangeReturned,
    KeyChangeResubmitted,
    KeyChangeDecided,
    KeyChangeEscalated,
    KeyChangeRescheduled,
)
