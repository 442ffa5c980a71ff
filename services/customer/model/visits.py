"""Visits and receptions: what becomes of them, called off or done with a report (S1-08, S3-06, S3-09)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar, Literal

from services.customer.model.customer import Customer
from services.customer.model.files import at_hand, unless_erased
from services.customer.model.parts import MOVE
from shared.contracts import visits as said
from shared.contracts.decision import Invalid, NotFound, Refusal, Said
from shared.contracts.envelope import Event
from shared.contracts.state import State
from shared.contracts.visits import VisitKind
from shared.policy.approvals.approval import Approval
from shared.policy.approvals.approval import evolve as moved
from shared.policy.policies import Policies

WORDS = ("purpose", "key_facts", "report")
Status = Literal["proposed", "returned", "rejected", "planned", "cancelled", "done"]


class VisitUnknown(NotFound):
    SLUG = "visit-unknown"


class VisitNotOpen(Refusal):
    """Only what is planned takes place or is called off."""

    SLUG = "visit-not-open"


class ReportIncomplete(Invalid):
    SLUG = "report-incomplete"


class Visit(State):
    """One visit or reception; `planned_for` None: nobody had planned it. `because`: what was said of its plan last."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({*WORDS, "because"})
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
    because: str | None = None


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
            decided = {"status": "planned" if event.outcome == "approved" else "rejected"}
            return state.model_copy(update={**decided, "approval": approval, "because": private.get("reason")})
        case said.VisitPlanReturned():
            returned = {"status": "returned", "because": private.get("reason")}
            return state.model_copy(update={**returned, "approval": _moved(state, private)})
        case said.VisitPlanResubmitted():
            again = event.model_dump(include={"planned_for", "staff_id"})
            words = {"purpose": private.get("purpose", state.purpose), "because": None}
            again |= {**words, "approval": _moved(state, private), "status": "proposed"}
            return state.model_copy(update=again)
        case said.VisitCancelled():
            return state.model_copy(update={"status": "cancelled"})
        case _:
            raise ValueError(f"{event.TYPE} is not an event of a visit")


def cancel(state: Visit | None, now: datetime, reason: str) -> list[Said]:
    """Call it off. Raises VisitUnknown, VisitNotOpen."""
    known = existing(state)
    if known.status not in ("proposed", "returned", "planned"):
        raise VisitNotOpen(f"this {known.kind} is {known.status}; there is nothing to call off")
    return [Said(said.VisitCancelled(**about(known)), now, {"reason": reason})]


def complete(state: Visit | None, told: Report, file: Customer | None, policies: Policies, on: date) -> list[Said]:
    """It took place. Raises VisitUnknown, VisitNotOpen, ReportIncomplete, CustomerErased for words."""
    known = existing(state)
    if known.status != "planned":
        raise VisitNotOpen(f"this {known.kind} is {known.status}; record what nobody planned as unplanned")
    return [_completed(about(known), known.planned_for, known.staff_id, told, file, policies, on)]


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


def _moved(state: Visit, private: Mapping[str, Any]) -> Approval:
    return moved(state.approval, MOVE.validate_python(private["move"]))


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


def about(state: Visit) -> dict[str, Any]:
    """What every event of a visit says."""
    return state.model_dump(include={"visit_id", "customer_id", "kind", "dims"})
