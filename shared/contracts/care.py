"""What the customer service says of looking after customers: promises, plans, greetings (S1-17…19, S3-02, S3-23)."""

from datetime import date
from typing import ClassVar, Literal

from pydantic import BaseModel

from shared.contracts.customer import CustomerEvent
from shared.contracts.envelope import Code, Currency, Event, Minor, Moment
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


class PlannedStep(BaseModel):
    """One step of a plan: `kind` such as visit or call, the needs it answers, and by when it is done."""

    model_config = Event.model_config
    step: Code
    kind: Code
    needs: list[Code] = []
    target: Target


class PlanEvent(CareEvent):
    """Base of the events about one plan to look after a customer (S3-02); its words stay in the service."""

    plan_id: Code


class MaintenancePlanned(PlanEvent):
    """A plan was made for the customer; `drive_id` where one was made for all customers of a grade at once."""

    TYPE: ClassVar[str] = "manyi.customer.maintenance.planned.v1"
    kind: Code
    drive_id: Code | None = None
    at: Moment
    steps: list[PlannedStep]
    review: Target


class MaintenanceAdjusted(PlanEvent):
    """The plan follows what changed (S3-14): steps were added, open ones dropped."""

    TYPE: ClassVar[str] = "manyi.customer.maintenance.adjusted.v1"
    at: Moment
    added: list[PlannedStep] = []
    dropped: list[Code] = []


class MaintenanceStepDone(PlanEvent):
    """A step was taken, in time or `late`."""

    TYPE: ClassVar[str] = "manyi.customer.maintenance.stepdone.v1"
    step: Code
    at: Moment
    late: bool


class RelationReviewed(PlanEvent):
    """Somebody weighed the relation (S3-05): `score` from 0 to 100; `review` is the next time."""

    TYPE: ClassVar[str] = "manyi.customer.relation.reviewed.v1"
    at: Moment
    score: int
    review: Target


class MaintenanceWarned(PlanEvent):
    """A step of a plan, or without `step` its review, is due soon."""

    TYPE: ClassVar[str] = "manyi.customer.maintenance.warned.v1"
    step: Code | None = None
    due_at: Moment
    at: Moment


class MaintenanceMissed(PlanEvent):
    """A step, or without `step` the review, was not done when due: `level` 0; then the next `role` is told."""

    TYPE: ClassVar[str] = "manyi.customer.maintenance.missed.v1"
    step: Code | None = None
    due_at: Moment
    at: Moment
    level: int
    role: Code | None = None


class CareDayNoted(CareEvent):
    """A day of the year is kept for the customer, or for a contact (S1-19); which day and what for stays sealed."""

    TYPE: ClassVar[str] = "manyi.customer.careday.noted.v1"
    care_id: Code
    contact_id: Code | None = None


class CareDayDropped(CareEvent):
    """A day is kept no longer."""

    TYPE: ClassVar[str] = "manyi.customer.careday.dropped.v1"
    care_id: Code
    contact_id: Code | None = None


class CustomerGreeted(CareEvent):
    """The customer was greeted, or it was skipped: on a holiday, named with its year, or on a day of their own."""

    TYPE: ClassVar[str] = "manyi.customer.greeted.v1"
    greeting_id: Code
    contact_id: Code | None = None
    holiday: Code | None = None
    year: int | None = None
    outcome: Literal["greeted", "skipped"]
    at: Moment


class CustomerInvited(CareEvent):
    """The customer, or one contact, was invited to a company event (S1-18, S3-26)."""

    TYPE: ClassVar[str] = "manyi.customer.invited.v1"
    invitation_id: Code
    event_id: Code
    contact_id: Code | None = None
    kind: Code
    starts_at: Moment


class InvitationAnswered(CareEvent):
    """The guest accepted or declined; the last answer counts."""

    TYPE: ClassVar[str] = "manyi.customer.invitation.answered.v1"
    invitation_id: Code
    event_id: Code
    answer: Literal["accepted", "declined"]


class AttendanceRecorded(CareEvent):
    """The guest came, or did not."""

    TYPE: ClassVar[str] = "manyi.customer.invitation.attended.v1"
    invitation_id: Code
    event_id: Code
    attended: bool


class OpportunityOpened(CareEvent):
    """Something may be sold (S2-05): in which stage, for how much, by when."""

    TYPE: ClassVar[str] = "manyi.customer.opportunity.opened.v1"
    opportunity_id: Code
    stage: Code
    amount: Minor
    currency: Currency
    product_line: Code | None = None
    expected_close: date
    at: Moment


class OpportunityMoved(CareEvent):
    """It is in another stage, or worth another amount, or expected to close on another day."""

    TYPE: ClassVar[str] = "manyi.customer.opportunity.moved.v1"
    opportunity_id: Code
    before: Code
    stage: Code
    amount: Minor
    currency: Currency
    expected_close: date


class OpportunityWon(CareEvent):
    """The customer buys."""

    TYPE: ClassVar[str] = "manyi.customer.opportunity.won.v1"
    opportunity_id: Code
    before: Code
    amount: Minor
    currency: Currency
    reason: Code
    at: Moment


class OpportunityLost(CareEvent):
    """The customer does not buy."""

    TYPE: ClassVar[str] = "manyi.customer.opportunity.lost.v1"
    opportunity_id: Code
    before: Code
    amount: Minor
    currency: Currency
    reason: Code
    at: Moment


class CompanyEventEvent(Event):
    """Base of what is said of an event that the company holds for its customers; a subject of its own."""

    SUBJECT: ClassVar[str] = "company event"
    event_id: Code
    kind: Code
    starts_at: Moment


class CompanyEventPlanned(CompanyEventEvent):
    """A salon, a product launch or the like is planned (S1-18, S3-26); title and place stay in the service."""

    TYPE: ClassVar[str] = "manyi.companyevent.planned.v1"


class CompanyEventCancelled(CompanyEventEvent):
    """It does not take place."""

    TYPE: ClassVar[str] = "manyi.companyevent.cancelled.v1"
    reason: Code


class SegmentEvent(Event):
    """Base of what is said of a saved rule that chooses customers; a subject of its own. The rule stays here."""

    SUBJECT: ClassVar[str] = "segment"
    segment_id: Code


class SegmentSaved(SegmentEvent):
    """A segment has this rule from now on (S2-06); `edition` counts its rules."""

    TYPE: ClassVar[str] = "manyi.segment.saved.v1"
    edition: int


class SegmentDropped(SegmentEvent):
    """A segment is used no longer."""

    TYPE: ClassVar[str] = "manyi.segment.dropped.v1"


SAYS: tuple[type[Event], ...] = (
    CommitmentMade,
    CommitmentWarned,
    CommitmentMissed,
    CommitmentKept,
    CommitmentBroken,
    MaintenancePlanned,
    MaintenanceAdjusted,
    MaintenanceStepDone,
    RelationReviewed,
    MaintenanceWarned,
    MaintenanceMissed,
    CareDayNoted,
    CareDayDropped,
    CustomerGreeted,
    CustomerInvited,
    InvitationAnswered,
    AttendanceRecorded,
    OpportunityOpened,
    OpportunityMoved,
    OpportunityWon,
    OpportunityLost,
    CompanyEventPlanned,
    CompanyEventCancelled,
    SegmentSaved,
    SegmentDropped,
)
