"""Rules: plans of visits count as the supervisor arranges; those of others are decided, or returned (S3-09)."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from services.customer.model.approving import Verdict, answered, recorded
from services.customer.model.customer import Customer
from services.customer.model.files import at_hand
from services.customer.model.visits import Visit, VisitNotOpen, about, existing
from shared.contracts import visits as said
from shared.contracts.decision import Said
from shared.contracts.visits import VisitKind
from shared.policy.approvals import asking
from shared.policy.approvals.acting import Acting
from shared.policy.approvals.approval import Approval
from shared.policy.approvals.chain import Route
from shared.policy.approvals.decided import Decided
from shared.policy.approvals.moves import Rejected, Request, Returned, StepApproved
from shared.policy.policies import Decided as Setting
from shared.policy.policies import Policies

PLANNERS = "visit.plan.by"


@dataclass(frozen=True)
class Plan:
    """What is planned: who goes, or receives, and when."""

    kind: VisitKind
    planned_for: datetime
    staff_id: str
    purpose: str | None = None


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
    planners = policies.value(PLANNERS, on)
    private: dict[str, Any] = {} if wanted.purpose is None else {"purpose": wanted.purpose}
    agreed = planners.value in who.roles
    if not agreed:
        request = Request(approval_id=visit_id, kind="visit", requester=who.person)
        (decided,) = asking.submit(None, request, _route(planners), policies.calendar(on), now)
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


def ask_again(
    state: Visit | None,
    planned_for: datetime,
    staff_id: str | None,
    purpose: str | None,
    who: Acting,
    policies: Policies,
    on: date,
    now: datetime,
) -> list[Said]:
    """Send a returned plan again, with another time, person or purpose; what is not named stays.

    Raises VisitUnknown, VisitNotOpen, ApprovalNotOpen, NotYourRequest, LimitUnset.
    """
    known = existing(state)
    approval = _asked(known)
    planners = policies.value(PLANNERS, on)
    calendar = policies.calendar(on)
    (decided,) = asking.resubmit(approval, who, approval.request, _route(planners), calendar, now)
    event = said.VisitPlanResubmitted(
        **about(known),
        planned_for=planned_for,
        staff_id=staff_id or known.staff_id,
        waiting_for=planners.value,
    )
    return [recorded(event, decided, {} if purpose is None else {"purpose": purpose})]


def decide(
    state: Visit | None, who: Acting, verdict: Verdict, cycle: int, now: datetime, reason: str | None
) -> list[Said]:
    """Agree to the proposed plan as it stood in this cycle, refuse it, or send it back for a correction.

    Raises VisitUnknown, VisitNotOpen and what the approval rules raise.
    """
    known = existing(state)
    return [_told(known, answered(_asked(known), who, verdict, (0, cycle), now, reason))]


def _asked(state: Visit) -> Approval:
    if state.status == "cancelled":
        raise VisitNotOpen(f"this {state.kind} was called off; there is nothing to decide any more, plan another one")
    if state.approval is None:
        raise VisitNotOpen(
            f"this {state.kind} is {state.status} and waits for nobody's decision; there is nothing to do"
        )
    return state.approval


def _route(planners: Setting) -> Route:
    return Route(steps=(planners.value,), versions=(planners.version,))


def _told(state: Visit, moves: list[Decided]) -> Said:
    """There is one step, so the first move says whose word it was; what follows from it is told along."""
    first = moves[0]
    match first.move:
        case Returned(signature=signature):
            returned = {**about(state), **signature.model_dump()}
            return recorded(said.VisitPlanReturned.model_validate(returned), first)
        case (StepApproved() | Rejected()) as answer:
            outcome = "rejected" if isinstance(answer, Rejected) else "approved"
            decided = {**about(state), **answer.signature.model_dump(), "outcome": outcome}
            private = {**first.private, "moves": [one.move.model_dump(mode="json") for one in moves]}
            event = said.VisitPlanDecided.model_validate(decided)
            return Said(event, first.time, private, policy_version=first.policy_version)
        case _:
            raise ValueError(f"{first.move.move} is no answer to a plan")
