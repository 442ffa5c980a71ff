"""State of one case and how each event changes it (DOMAIN E2; S2-07, S1-13)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, computed_field

from services.feedback.model.timers import begun, timers_after, told
from shared.contracts import feedback as said
from shared.contracts.envelope import Event
from shared.contracts.state import Part, State
from shared.policy.timers import Timer, soonest

Kind = Literal["complaint", "inquiry", "suggestion", "praise"]
Status = Literal[
    "received", "acknowledged", "assigned", "investigating", "waiting_customer", "resolved", "reopened", "closed"
]
KINDS: Mapping[type[said.CaseOpened], Kind] = {
    said.ComplaintOpened: "complaint",
    said.InquiryOpened: "inquiry",
    said.SuggestionOpened: "suggestion",
    said.PraiseOpened: "praise",
}
STATUS_AFTER: Mapping[type[said.CaseStep], Status] = {
    said.CaseReopened: "reopened",
    said.CaseAcknowledged: "acknowledged",
    said.CaseAssigned: "assigned",
    said.CasePaused: "waiting_customer",
    said.CaseResumed: "investigating",
    said.CaseResolved: "resolved",
    said.CaseClosed: "closed",
}
"""Where a step leads; of two steps at the same instant the later one in this list is taken for the later step."""
FIELDS: Mapping[type[said.CaseStep], str] = {
    said.CaseReopened: "reopened",
    said.CaseAcknowledged: "acknowledged",
    said.CaseAssigned: "assigned",
    said.CaseResponded: "responded",
    said.CasePaused: "paused",
    said.CaseResumed: "resumed",
    said.CaseResolved: "resolved",
    said.CaseClosed: "closed",
}


class Words(Part):
    """What somebody wrote: the complaint itself, a reply, a solution, a reason. Sealed, and never on the bus."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"text"})
    kind: str
    at: datetime
    by: str | None = None
    text: str = ""


class Cycle(BaseModel):
    """One round from (re)opening to closing: of each kind of step the telling in force."""

    model_config = ConfigDict(frozen=True)
    number: int
    reopened: said.CaseReopened | None = None
    acknowledged: said.CaseAcknowledged | None = None
    assigned: said.CaseAssigned | None = None
    responded: said.CaseResponded | None = None
    paused: said.CasePaused | None = None
    resumed: said.CaseResumed | None = None
    resolved: said.CaseResolved | None = None
    closed: said.CaseClosed | None = None

    def told(self, kind: type[said.CaseStep]) -> said.CaseStep | None:
        """The telling in force of this kind of step."""
        step: said.CaseStep | None = getattr(self, FIELDS[kind])
        return step


class Case(State):
    """The head of a case. `cycles` in the order of their numbers; one may be missing until the desk tells of it."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"external_id"})
    PARTS: ClassVar[Mapping[str, tuple[str, type[Part]]]] = {"words": ("words", Words)}

    case_id: str
    kind: Kind
    desk: Literal["own", "outside"]
    source: str
    external_id: str | None = None
    status: Status = "received"
    customer_id: str | None = None
    channel: str | None = None
    category: str | None = None
    product: str | None = None
    severity: str | None = None
    priority: str | None = None
    opened_at: datetime
    timezone: str | None = None
    source_response_id: str | None = None
    loop_id: str | None = None
    dims: dict[str, str] = {}
    cycles: tuple[Cycle, ...] = (Cycle(number=1),)
    timers: tuple[Timer, ...] = ()
    """The deadlines that are still open, kept or not."""
    words: dict[str, Words] = {}

    @property
    def key(self) -> str:
        """Partition key: the customer, else the case itself."""
        return self.customer_id or self.case_id

    @property
    def assignee(self) -> str | None:
        """Who is answerable for it in its last cycle; None while nobody is."""
        assigned = self.cycles[-1].assigned
        return None if assigned is None else assigned.assignee

    @computed_field  # type: ignore[prop-decorator]
    @property
    def timer_at(self) -> datetime | None:
        """When there is next something to tell of the deadlines; by it the due ones are found."""
        return soonest(self.timers)

    def cycle(self, number: int) -> Cycle:
        """The cycle of that number, empty if nothing was told of it."""
        return next((one for one in self.cycles if one.number == number), Cycle(number=number))


def evolve(state: Case | None, event: Event, private: Mapping[str, Any]) -> Case:
    """Fold one event, public and private part, into the state."""
    if isinstance(event, said.CaseOpened):
        return _opened(event, private)
    if state is None:
        raise ValueError(f"{event.TYPE} cannot be the first event of a case")
    if isinstance(event, said.SlaWarned):
        return state.model_copy(update={"timers": told(state.timers, event)})
    if not isinstance(event, said.CaseStep):
        raise TypeError(f"{event.TYPE} is not an event of a case")
    before = state.cycle(event.cycle)
    cycles = [one for one in state.cycles if one.number != event.cycle]
    after = sorted([*cycles, _with(before, event)], key=lambda one: one.number)
    changed = state.model_copy(
        update={"cycles": tuple(after), "words": {**state.words, **_words(private, event.at, event.by)}}
    )
    timers = timers_after(state.timers, event) if state.desk == "own" else ()
    return changed.model_copy(update={"status": _status(changed, event), "timers": timers})


def _opened(event: said.CaseOpened, private: Mapping[str, Any]) -> Case:
    fields = {name: private.get(name) for name in ("external_id", "timezone")}
    return Case.model_validate(
        {
            **vars(event),
            **fields,
            "kind": KINDS[type(event)],
            "source": event.dims["source"],
            "words": _words(private, event.opened_at, None),
            "timers": begun(event.targets, 1),
        }
    )


def _words(private: Mapping[str, Any], at: datetime, by: str | None) -> dict[str, Words]:
    written: Mapping[str, Mapping[str, str]] = private.get("words", {})
    return {name: Words(kind=one["kind"], text=one["text"], at=at, by=by) for name, one in written.items()}


def _with(cycle: Cycle, event: said.CaseStep) -> Cycle:
    before = cycle.told(type(event))
    if isinstance(event, said.CaseResponded) and before is not None and not prevails(event, before):
        return cycle
    return cycle.model_copy(update={FIELDS[type(event)]: event})


def _status(case: Case, event: said.CaseStep) -> Status:
    """Our own desk's last step counts; of an outside desk, the newest step of the last cycle, whenever it was told."""
    if case.desk == "own":
        return STATUS_AFTER.get(type(event), case.status)
    order = list(STATUS_AFTER)
    told = [(step.at, order.index(kind)) for kind in order if (step := case.cycles[-1].told(kind)) is not None]
    return STATUS_AFTER[order[max(told)[1]]] if told else "received"


def prevails(new: said.CaseStep, old: said.CaseStep) -> bool:
    """Whether a telling takes the place of another of the same kind and cycle; the same in whatever order they come.

    The first acknowledgement, the first human reply and the earliest step of a reopened cycle count; of everything
    else the latest, a resolution of known time before one of unknown time. Equal times are told apart by content.
    """
    return _rank(new) > _rank(old)


def _rank(step: said.CaseStep) -> tuple[Any, ...]:
    earliest, by = -step.at.timestamp(), step.by or ""
    match step:
        case said.CaseResponded():
            return (step.human, earliest, by)
        case said.CaseReopened() | said.CaseAcknowledged():
            return (earliest, by)
        case said.CaseResolved():
            return (step.time_known, step.at, step.outcome or "", by)
        case said.CaseClosed():
            verdict = -1 if step.sla_kept is None else int(step.sla_kept)
            return (step.at, step.priority or "", verdict, step.outcome or "", by)
        case said.CaseAssigned():
            return (step.at, step.assignee or "", by)
        case _:
            return (step.at, by)
