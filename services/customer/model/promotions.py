"""Rules of promotions: nominated by who the policy says, held once the whole chain agrees (S0-19).

The state machine is that of every approval (shared/policy/approvals); each of its moves is recorded with its event.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, NamedTuple

from services.customer.model.approving import Events, Verdict, answered, completes, recorded, told
from services.customer.model.posts import PostToOneself, PostUnknown, leave_post, take_post
from services.customer.model.staff import Promotion, Staff, evolve, existing
from shared.contracts import staff as said
from shared.contracts.decision import NotFound, Refusal, Said
from shared.policy.approvals.acting import Acting
from shared.policy.approvals.approval import Approval
from shared.policy.approvals.asking import resubmit as sent_again
from shared.policy.approvals.asking import submit
from shared.policy.approvals.asking import withdraw as taken_back
from shared.policy.approvals.chain import Route
from shared.policy.approvals.decided import Decided
from shared.policy.approvals.deciding import expire
from shared.policy.approvals.escalating import Ladder
from shared.policy.approvals.moves import Rejected, Request, Returned, StepApproved
from shared.policy.approvals.rescheduling import reschedule as under_calendar
from shared.policy.calendar.business import Calendar
from shared.policy.calendar.due import Due
from shared.policy.chart import Holder
from shared.policy.policies import Policies

NOMINATORS, CHAIN = "promotion.nominate.by", "promotion.chain"
EVENTS = Events(
    said.PromotionStepApproved,
    said.PromotionReturned,
    said.PromotionDecided,
    said.PromotionEscalated,
    said.PromotionRescheduled,
)


class PromotionUnknown(NotFound):
    SLUG = "promotion-unknown"


class NotYoursToNominate(Refusal):
    STATUS = 403
    SLUG = "promotion-not-yours-to-nominate"


class Wanted(NamedTuple):
    """What somebody is nominated for: role and unit of the post, and which post is left for it."""

    role: str
    unit: str
    leaves: str | None = None


def nominate(
    state: Staff | None,
    promotion_id: str,
    post: Wanted,
    reason: str,
    who: Acting,
    policies: Policies,
    on: date,
    now: datetime,
) -> list[Said]:
    """Nominate for a post: its role and unit, and which post is left for it.

    Raises StaffUnknown, PostUnknown, NotYoursToNominate, LimitUnset, and what taking such a post raises.
    """
    known = existing(state)
    route = _route(known, promotion_id, post, who, policies, on, now)
    request = Request(approval_id=promotion_id, kind="promotion", requester=who.person)
    (decided,) = submit(None, request, route, policies.calendar(on), now)
    event = said.PromotionNominated(
        **_about(known, promotion_id), **_wanted(post, route, decided.due), requester=who.person
    )
    return [recorded(event, decided, {"reason": reason})]


def ask_again(
    state: Staff | None,
    promotion_id: str,
    post: Wanted,
    reason: str,
    who: Acting,
    policies: Policies,
    on: date,
    now: datetime,
) -> list[Said]:
    """Send a returned nomination again, for this post and with this reason.

    Raises as `nominate`, and PromotionUnknown, ApprovalNotOpen, NotYourRequest.
    """
    known = existing(state)
    approval = promotion(known, promotion_id).approval
    route = _route(known, promotion_id, post, who, policies, on, now)
    (decided,) = sent_again(approval, who, approval.request, route, policies.calendar(on), now)
    event = said.PromotionResubmitted(**_about(known, promotion_id), **_wanted(post, route, decided.due))
    return [recorded(event, decided, {"reason": reason})]


def decide(
    state: Staff | None,
    promotion_id: str,
    who: Acting,
    verdict: Verdict,
    step: tuple[int, int],
    reason: str | None,
    policies: Policies,
    on: date,
    now: datetime,
) -> list[Said]:
    """Agree to the step (number, cycle) looked at, refuse it or send it back; with the last yes the post is held.

    Raises PromotionUnknown, PostToOneself, what the approval rules raise and what hinders the post by now.
    """
    known = existing(state)
    asked = promotion(known, promotion_id)
    moves = _answered(known.staff_id, asked.approval, who, verdict, step, now, reason)
    answer = told(EVENTS, _about(known, promotion_id), moves)
    if not completes(moves):
        return answer
    wanted = Holder(known.staff_id, asked.role, asked.unit)
    taken = take_post(known, promotion_id, wanted, now, who.person, policies, on, now)
    if asked.leaves is None or asked.leaves not in known.posts:
        return [*answer, *taken]
    return [*answer, *taken, *leave_post(evolve(known, taken[0].event, {}), asked.leaves, now)]


def withdraw(state: Staff | None, promotion_id: str, who: Acting, reason: str | None, now: datetime) -> list[Said]:
    """Take a nomination back before it is decided. Raises PromotionUnknown, NotYourRequest, ApprovalNotOpen."""
    known = existing(state)
    moves = taken_back(promotion(known, promotion_id).approval, who, now, reason)
    return told(EVENTS, _about(known, promotion_id), moves)


def lapse(state: Staff | None, now: datetime, ladder: Ladder) -> list[Said]:
    """The passing of the deadlines of somebody's nominations; repeatable."""
    return _of_each(state, lambda approval: expire(approval, now, ladder))


def reschedule(state: Staff | None, calendar: Calendar, now: datetime) -> list[Said]:
    """The deadlines of somebody's nominations under an edited calendar; repeatable."""
    return _of_each(state, lambda approval: under_calendar(approval, calendar, now))


def promotion(state: Staff, promotion_id: str) -> Promotion:
    """One of somebody's nominations. Raises PromotionUnknown."""
    found = state.promotions.get(promotion_id)
    if found is None:
        raise PromotionUnknown(f"{state.staff_id} has no nomination {promotion_id}; GET /v1/promotions lists them")
    return found


def _route(
    state: Staff, promotion_id: str, post: Wanted, who: Acting, policies: Policies, on: date, now: datetime
) -> Route:
    """The steps of a nomination; what would hinder it hinders it now."""
    nominators = policies.value(NOMINATORS, on)
    if nominators.value not in who.roles:
        raise NotYoursToNominate(f"the role {nominators.value} nominates ({NOMINATORS}); ask a holder of it")
    role, unit, leaves = post
    if leaves is not None and leaves not in state.posts:
        raise PostUnknown(f"{state.staff_id} holds no post {leaves}; GET /v1/staff/{state.staff_id} shows which")
    take_post(state, promotion_id, Holder(state.staff_id, role, unit), now, who.person, policies, on, now)
    return policies.route(CHAIN, on)


def _answered(
    nominee: str,
    approval: Approval,
    who: Acting,
    verdict: Verdict,
    step: tuple[int, int],
    now: datetime,
    reason: str | None,
) -> list[Decided]:
    """The verdict on the step, signed neither by the nominee nor in the nominee's place. Raises PostToOneself."""
    places = sorted(who.substitutions, key=lambda one: one.absent == nominee)  # that place only where there is no other
    moves = answered(approval, who.model_copy(update={"substitutions": tuple(places)}), verdict, step, now, reason)
    signed = (one.move.signature for one in moves if isinstance(one.move, StepApproved | Rejected | Returned))
    if any(nominee in one.people for one in signed):
        raise PostToOneself(
            "nobody decides on a promotion of his own, nor in the place of the one nominated; "
            "another holder of the role has to"
        )
    return moves


def _of_each(state: Staff | None, rule: Callable[[Approval], list[Decided]]) -> list[Said]:
    if state is None:
        return []
    return [
        one
        for promotion_id, asked in sorted(state.promotions.items())
        for one in told(EVENTS, _about(state, promotion_id), rule(asked.approval))
    ]


def _wanted(post: Wanted, route: Route, due: Due | None) -> dict[str, Any]:
    return {**post._asdict(), "steps": list(route.steps), "due_at": due.at if due else None}


def _about(state: Staff, promotion_id: str) -> dict[str, Any]:
    return {"staff_id": state.staff_id, "promotion_id": promotion_id}
