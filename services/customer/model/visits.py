"""Visits and receptions: planned as the supervisor arranges, done with a report (S1-08, S3-06, S3-09)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar, Literal

from services.customer.model.approving import Verdict, answered
from services.customer.model.customer import Customer
from services.customer.model.files import at_hand, unless_erased
from services.customer.model.parts import MOVE
from shared.contracts import visits as said
from shared.contracts.decision import Invalid, NotFound, Refusal, Said
from shared.contracts.envelope import Event
from shared.contracts.state import State
from shared.contracts.visits import VisitKind
from shared.policy.approvals import asking
from shared.policy.approvals.acting import Acting
from shared.policy.approvals.approval import Approval
from shared.policy.approvals.approval import evolve as moved
from shared.policy.approvals.chain import Route
from shared.policy.approvals.decided import Decided
from shared.policy.approvals.moves import Rejected, Request
from shared.policy.policies import Policies

WORDS = ("purpose", "key_facts", "report")
Status = Literal["proposed", "rejected", "planned", "cancelled", "done"]


class VisitUnknown(NotFound):
    SLUG = "visit-unknown"


class VisitNotOpen(Refusal):
    """Only what is planned takes place or is called off."""

    SLUG = "visit-not-open"


class ReportIncomplete(Invalid):
    SLUG = "report-incomplete"


class Visit(State):
    """One visit or reception; `planned_for` None: nobody had planned it."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset(WORDS)
    visit_id: str
    customer_id: str
    kind: VisitKind
    status: Status
    staff_id: str
    planned_for: datetime | None = None
    planned_by: str | None = None
    approval: Approval | None = None
    at: datetime | None = None
    contact_id: str | None = None
    outcome: str | None = None
    needs: list[str] = []
    inquiry: str | None = None
    dims: dict[str, str] = {}
    purpose: str | None = None
    key_facts: str | None = None
    report: str | None = None


@dataclass(frozen=True)
class Plan:
    """What is planned: who goes, or receives, and when."""

    kind: VisitKind
    planned_for: datetime
    staff_id: str
    purpose: str | None = None


@dataclass(frozen=True)
class Report:
    """What came of it; needs and outcome are codes, the rest stays here."""

    at: datetime
    outcome: str
    needs: tuple[str, ...] = ()
    key_facts: str | None = None
    report: str | None = None
    contact_id: str | None = None
    inquiry: str | None = None


def evolve(state: Visit | None, event: Event, private: Mapping[str, Any]) -> Visit:
    """Fold one event, public and private part, into the state."""
    match event:
        case said.VisitPlanned():
            move = private.get("move")
            return Visit(
                status="planned" if move is None else "proposed",
                approval=None if move is None else moved(None, MOVE.validate_python(move)),
                purpose=private.get("purpose"),
                **event.model_dump(exclude={"waiting_for"}),
            )
        case said.VisitCompleted():
            known = {} if state is None else dict(state)
            words = {name: private[name] for name in WORDS if name in private}
            return Visit.model_validate({**known, **event.model_dump(), **words, "status": "done"})
    if state is None:
        raise ValueError(f"{event.TYPE} cannot be the first event of a visit")
    match event:
        case said.VisitPlanDecided():
            approval = state.approval
            for move in private["moves"]:
                approval = moved(approval, MOVE.validate_python(move))
            agreed = event.outcome == "approved"
            return state.model_copy(update={"approval": approval, "status": "planned" if agreed else "rejected"})
        case said.VisitCancelled():
            return state.model_copy(update={"status": "cancelled"})
        case _:
            raise ValueError(f"{event.TYPE} is not an event of a visit")


def plan(
    visit_id: str,
    wanted: Plan,
    customer_id: str,
    file: Customer | None,
    who: Acting,
    policies: Policies,
    on: date,
    now: datetime,
) -> list[Said]:
    """Plan it; in force at once where the planner has the role of visit.plan.by, else that role has to agree (S3-09).

    Raises CustomerUnknown, CustomerErased, LimitUnset.
    """
    customer = at_hand(customer_id, file)
    planners = policies.value("visit.plan.by", on)
    private: dict[str, Any] = {} if wanted.purpose is None else {"purpose": wanted.purpose}
    agreed = planners.value in who.roles
    if not agreed:
        route = Route(steps=(planners.value,), versions=(planners.version,))
        request = Request(approval_id=visit_id, kind="visit", requester=who.person)
        (decided,) = asking.submit(None, request, route, policies.calendar(on), now)
        private["move"] = decided.move.model_dump(mode="json")
    event = said.VisitPlanned(
        visit_id=visit_id,
        customer_id=customer.customer_id,
        kind=wanted.kind,
        planned_for=wanted.planned_for,
        staff_id=wanted.staff_id,
        planned_by=who.person,
        waiting_for=None if agreed else planners.value,
        dims=customer.dims_now("manyi", {}, None),
    )
    return [Said(event, now, private, policy_version=planners.version)]


def decide(state: Visit | None, who: Acting, agreed: bool, now: datetime, reason: str | None) -> list[Said]:
    """Agree to a proposed plan, or not. Raises VisitUnknown, VisitNotOpen and what the approval rules raise."""
    known = existing(state)
    if known.approval is None:
        raise VisitNotOpen(f"this {known.kind} is {known.status}; it waits for nobody's decision")
    verdict: Verdict = "approve" if agreed else "reject"
    return [_decision(known, who, answered(known.approval, who, verdict, (0, known.approval.cycle), now, reason))]


def cancel(state: Visit | None, now: datetime, reason: str) -> list[Said]:
    """Call it off. Raises VisitUnknown, VisitNotOpen."""
    known = existing(state)
    if known.status not in ("proposed", "planned"):
        raise VisitNotOpen(f"this {known.kind} is {known.status}; there is nothing to call off")
    return [Said(said.VisitCancelled(**_about(known)), now, {"reason": reason})]


def complete(state: Visit | None, told: Report, file: Customer | None, policies: Policies, on: date) -> list[Said]:
    """It took place. Raises VisitUnknown, VisitNotOpen, ReportIncomplete, CustomerErased for words."""
    known = existing(state)
    if known.status != "planned":
        raise VisitNotOpen(f"this {known.kind} is {known.status}; what nobody planned is recorded as unplanned")
    return [_completed(_about(known), known.planned_for, known.staff_id, told, file, policies, on)]


def record(
    visit_id: str,
    kind: VisitKind,
    staff_id: str,
    told: Report,
    customer_id: str,
    file: Customer | None,
    policies: Policies,
    on: date,
) -> list[Said]:
    """It took place, and nobody had planned it. Raises CustomerUnknown, CustomerErased, ReportIncomplete."""
    customer = at_hand(customer_id, file)
    dims = customer.dims_now("manyi", {}, None)
    about = {"visit_id": visit_id, "customer_id": customer.customer_id, "kind": kind, "dims": dims}
    return [_completed(about, None, staff_id, told, file, policies, on)]


def existing(state: Visit | None) -> Visit:
    """The visit there is. Raises VisitUnknown."""
    if state is None:
        raise VisitUnknown("there is no such visit; list them first")
    return state


def _completed(
    about: Mapping[str, Any],
    planned_for: datetime | None,
    staff_id: str,
    told: Report,
    file: Customer | None,
    policies: Policies,
    on: date,
) -> Said:
    words = {name: value for name in ("key_facts", "report") if (value := getattr(told, name)) is not None}
    if words:
        unless_erased(file)
    version = None
    if about["kind"] == "reception":
        required = policies.value("reception.required", on)
        version = required.version
        if missing := [name for name in required.value if not getattr(told, name, None)]:
            raise ReportIncomplete(
                f"a reception is recorded with {', '.join(required.value)}; add {', '.join(missing)}"
            )
    event = said.VisitCompleted(
        **about,
        at=told.at,
        planned_for=planned_for,
        staff_id=staff_id,
        contact_id=told.contact_id,
        outcome=told.outcome,
        needs=list(told.needs),
        inquiry=told.inquiry,
    )
    return Said(event, told.at, words, policy_version=version)


def _decision(state: Visit, who: Acting, decided: list[Decided]) -> Said:
    outcome = "rejected" if any(isinstance(one.move, Rejected) for one in decided) else "approved"
    event = said.VisitPlanDecided.model_validate({**_about(state), "outcome": outcome, "by": who.person})
    first = decided[0]
    private = {**first.private, "moves": [one.move.model_dump(mode="json") for one in decided]}
    return Said(event, first.time, private, policy_version=first.policy_version)


def _about(state: Visit) -> dict[str, Any]:
    return state.model_dump(include={"visit_id", "customer_id", "kind", "dims"})
