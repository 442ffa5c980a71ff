"""What the customer service says of visits and receptions. Purpose, key facts and report stay in the service.

A visit is a subject of its own, under the key of its customer.
"""

from typing import ClassVar, Literal

from shared.contracts.envelope import Code, Dims, Event, Moment

VisitKind = Literal["visit", "reception"]


class VisitEvent(Event):
    SUBJECT: ClassVar[str] = "visit"
    visit_id: Code
    customer_id: Code
    kind: VisitKind
    dims: Dims = {}


class VisitPlanned(VisitEvent):
    """Somebody will see the customer (S3-09); where `waiting_for` names a role, that role has to agree first."""

    TYPE: ClassVar[str] = "manyi.visit.planned.v1"
    planned_for: Moment
    staff_id: Code
    planned_by: Code
    waiting_for: Code | None = None


class VisitPlanDecided(VisitEvent):
    """The plan is agreed to, or not."""

    TYPE: ClassVar[str] = "manyi.visit.plandecided.v1"
    outcome: Literal["approved", "rejected"]
    by: Code
    on_behalf_of: Code | None = None


class VisitPlanReturned(VisitEvent):
    """The plan goes back to whoever made it for a correction; why stays in the service."""

    TYPE: ClassVar[str] = "manyi.visit.planreturned.v1"
    by: Code
    on_behalf_of: Code | None = None


class VisitPlanResubmitted(VisitEvent):
    """The returned plan, corrected: it is decided on anew by the role `waiting_for`."""

    TYPE: ClassVar[str] = "manyi.visit.planresubmitted.v1"
    planned_for: Moment
    staff_id: Code
    waiting_for: Code


class VisitCancelled(VisitEvent):
    """It does not take place."""

    TYPE: ClassVar[str] = "manyi.visit.cancelled.v1"


class VisitCompleted(VisitEvent):
    """It took place, as planned or unplanned (S1-08, S3-09): with which outcome, and which needs were heard.

    `inquiry` is the category of what the customer asked and nobody could answer at once: an inquiry is opened for it.
    """

    TYPE: ClassVar[str] = "manyi.visit.completed.v1"
    at: Moment
    planned_for: Moment | None = None
    staff_id: Code
    contact_id: Code | None = None
    outcome: Code
    needs: list[Code] = []
    inquiry: Code | None = None


SAYS: tuple[type[Event], ...] = (
    VisitPlanned,
    VisitPlanDecided,
    VisitPlanReturned,
    VisitPlanResubmitted,
    VisitCancelled,
    VisitCompleted,
)
