"""What the feedback service says. The subject is always the case; the key its customer (DOMAIN E3)."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shared.contracts.envelope import Code, Dims, Event, Moment


class Target(BaseModel):
    """A deadline as it was set: `escalate_at` are the instants at which the next level is told that it is overdue."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )
    warn_at: Moment
    due_at: Moment
    escalate_at: tuple[Moment, ...] = ()
    business_minutes: int
    calendar_version: Code
    policy_version: Code


class CaseEvent(Event):
    SUBJECT: ClassVar[str] = "case"
    case_id: Code


class CaseOpened(CaseEvent):
    """What the four openings share. `desk`: `own` follows our workflow, `outside` records facts as they happened."""

    customer_id: Code | None = None
    channel: Code | None = None
    category: Code | None = None
    product: Code | None = None
    severity: Code | None = None
    priority: Code | None = None
    desk: Literal["own", "outside"] = "own"
    opened_at: Moment
    source_response_id: Code | None = None
    loop_id: Code | None = None
    targets: dict[Code, Target] = {}
    """Kind (acknowledge, respond, resolve) → by when, where a policy sets it."""
    dims: Dims = {}


class ComplaintOpened(CaseOpened):
    TYPE: ClassVar[str] = "manyi.complaint.opened.v1"


class InquiryOpened(CaseOpened):
    TYPE: ClassVar[str] = "manyi.inquiry.opened.v1"


class SuggestionOpened(CaseOpened):
    TYPE: ClassVar[str] = "manyi.suggestion.opened.v1"


class PraiseOpened(CaseOpened):
    TYPE: ClassVar[str] = "manyi.praise.opened.v1"


class CaseStep(CaseEvent):
    """A step of cycle `cycle` (1 = before any reopening) that happened at `at`.

    A step told again for the same cycle replaces the earlier telling: an outside desk's later knowledge wins.
    """

    cycle: Annotated[int, Field(ge=1)] = 1
    at: Moment
    by: Code | None = None


class CaseAcknowledged(CaseStep):
    TYPE: ClassVar[str] = "manyi.case.acknowledged.v1"


class CaseAssigned(CaseStep):
    TYPE: ClassVar[str] = "manyi.case.assigned.v1"
    assignee: Code | None = None


class CaseResponded(CaseStep):
    """A reply to the customer; `human` is false for an automatic one.

    Our own desk tells every reply, so here a later telling does not replace: the earliest human one of a cycle counts
    (METRICS D12).
    """

    TYPE: ClassVar[str] = "manyi.case.responded.v1"
    human: bool = True


class CasePaused(CaseStep):
    TYPE: ClassVar[str] = "manyi.case.paused.v1"
    reason: Code = "waiting_customer"


class CaseResumed(CaseStep):
    """Work on it goes on; an outside desk's latest word of it, so that a pause earlier than that is over."""

    TYPE: ClassVar[str] = "manyi.case.resumed.v1"
    targets: dict[Code, Target] = {}
    """The deadlines that stood still meanwhile, as they run on."""


class CaseResolved(CaseStep):
    """`time_known` is false when an outside desk says that it was resolved, but not when; `at` is then its report."""

    TYPE: ClassVar[str] = "manyi.case.resolved.v1"
    outcome: Code | None = None
    customer_notified: bool | None = None
    time_known: bool = True


class CaseReopened(CaseStep):
    """`cycle` is the new one (2 or more)."""

    TYPE: ClassVar[str] = "manyi.case.reopened.v1"
    reason: Code | None = None
    targets: dict[Code, Target] = {}


class CaseClosed(CaseStep):
    """`sla_kept` is an outside desk's own verdict; it wins over our timers (METRICS, verdicts from outside)."""

    TYPE: ClassVar[str] = "manyi.case.closed.v1"
    outcome: Code | None = None
    priority: Code | None = None
    sla_kept: bool | None = None


class SlaWarned(CaseEvent):
    """A deadline of a cycle is near. `business_minutes` is its whole length, `assignee` who is answerable."""

    TYPE: ClassVar[str] = "manyi.sla.warned.v1"
    timer_id: Code
    kind: Code
    cycle: Annotated[int, Field(ge=1)]
    due_at: Moment
    at: Moment
    business_minutes: int
    calendar_version: Code
    assignee: Code | None = None


class SlaBreached(SlaWarned):
    """A deadline has passed: at `level` 0 just then; at each further level it is still open, and `role` is told."""

    TYPE: ClassVar[str] = "manyi.sla.breached.v1"
    level: Annotated[int, Field(ge=0)]
    role: Code | None = None


SAYS: tuple[type[Event], ...] = (
    ComplaintOpened,
    InquiryOpened,
    SuggestionOpened,
    PraiseOpened,
    CaseAcknowledged,
    CaseAssigned,
    CaseResponded,
    CasePaused,
    CaseResumed,
    CaseResolved,
    CaseReopened,
    CaseClosed,
    SlaWarned,
    SlaBreached,
)
