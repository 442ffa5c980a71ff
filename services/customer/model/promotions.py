"""Rules of promotions: nominated by who the policy says, held once the whole chain agrees (S0-19)."""

from datetime import date, datetime
from typing import Any, Literal

from services.customer.model.approving import answered, completes, recorded
from services.customer.model.posts import PostToOneself, PostUnknown, leave_post, take_post
from services.customer.model.staff import Promotion, Staff, evolve, existing
from shared.contracts import staff as said
from shared.contracts.decision import NotFound, Refusal, Said
from shared.policy.approvals.acting import Acting
from shared.policy.approvals.approval import Approval
from shared.policy.approvals.asking import submit
from shared.policy.approvals.asking import withdraw as taken_back
from shared.policy.approvals.decided import Decided
from shared.policy.approvals.deciding import expire
from shared.policy.approvals.escalating import Ladder
from shared.policy.approvals.moves import (
    Completed,
    Escalated,
    Lapsed,
    Rejected,
    Request,
    StepApproved,
    Withdrawn,
)
from shared.policy.chart import Holder
from shared.policy.policies import Policies

NOMINATORS, CHAIN = "promotion.nominate.by", "promotion.chain"


class PromotionUnknown(NotFound):
    SLUG = "promotion-unknown"


class NotYoursToNominate(Refusal):
    STATUS = 403
    SLUG = "promotion-not-yours-to-nominate"


def nominate(
    state: Staff | None,
    promotion_id: str,
    post: tuple[str, str, str | None],
    reason: str,
    who: Acting,
    policies: Policies,
    on: date,
    now: datetime,
) -> list[Said]:
    """Nominate for a post: its role and unit, and which post is left for it.

    Raises StaffUnknown, PostUnknown, NotYoursToNominate, LimitUnset, and what taking such a post raises.
    """
    known, (role, unit, leaves) = existing(state), post
    nominators = policies.value(NOMINATORS, on)
    if nominators.value not in who.roles:
        raise NotYoursToNominate(f"the role {nominators.value} nominates ({NOMINATORS}); ask a holder of it")
    if leaves is not None and leaves not in known.posts:
        raise PostUnknown(f"{known.staff_id} holds no post {leaves}; GET /v1/staff/{known.staff_id} shows which")
    wanted = Holder(known.staff_id, role, unit)
    take_post(known, promotion_id, wanted, now, who.person, policies, on, now)  # what would hinder it hinders it now
    route = policies.route(CHAIN, on)
    request = Request(approval_id=promotion_id, kind="promotion", requester=who.person)
    (decided,) = submit(None, request, route, policies.calendar(on), now)
    event = said.PromotionNominated(
        staff_id=known.staff_id,
        promotion_id=promotion_id,
        role=role,
        unit=unit,
        leaves=leaves,
        steps=list(route.steps),
        requester=who.person,
    )
    return [recorded(event, decided, {"reason": reason})]


def decide(
    state: Staff | None,
    promotion_id: str,
    who: Acting,
    verdict: Literal["approve", "reject"],
    step: tuple[int, int],
    reason: str | None,
    policies: Policies,
    on: date,
    now: datetime,
) -> list[Said]:
    """Agree to the step (number, cycle) looked at, or not; with the last yes the post is held.

    Raises PromotionUnknown, PostToOneself, what the approval rules raise and what hinders the post by now.
    """
    known = existing(state)
    asked = promotion(known, promotion_id)
    moves = _answered(known.staff_id, asked.approval, who, verdict, step, now, reason)
    told = [recorded(_event(known, promotion_id, one), one) for one in moves]
    if not completes(moves):
        return told
    wanted = Holder(known.staff_id, asked.role, asked.unit)
    taken = take_post(known, promotion_id, wanted, now, who.person, policies, on, now)
    if asked.leaves is None or asked.leaves not in known.posts:
        return [*told, *taken]
    return [*told, *taken, *leave_post(evolve(known, taken[0].event, {}), asked.leaves, now)]


def withdraw(state: Staff | None, promotion_id: str, who: Acting, reason: str | None, now: datetime) -> list[Said]:
    """Take a nomination back before it is decided. Raises PromotionUnknown, NotYourRequest, ApprovalNotOpen."""
    known = existing(state)
    moves = taken_back(promotion(known, promotion_id).approval, who, now, reason)
    return [recorded(_event(known, promotion_id, one), one) for one in moves]


def lapse(state: Staff | None, now: datetime, ladder: Ladder) -> list[Said]:
    """The passing of the deadlines of somebody's nominations; repeatable."""
    if state is None:
        return []
    return [
        recorded(_event(state, promotion_id, one), one)
        for promotion_id, asked in sorted(state.promotions.items())
        for one in expire(asked.approval, now, ladder)
    ]


def promotion(state: Staff, promotion_id: str) -> Promotion:
    """One of somebody's nominations. Raises PromotionUnknown."""
    found = state.promotions.get(promotion_id)
    if found is None:
        raise PromotionUnknown(f"{state.staff_id} has no nomination {promotion_id}; GET /v1/promotions lists them")
    return found


def _answered(
    nominee: str,
    approval: Approval,
    who: Acting,
    verdict: Literal["approve", "reject"],
    step: tuple[int, int],
    now: datetime,
    reason: str | None,
) -> list[Decided]:
    """The verdict on the step, signed neither by the nominee nor in the nominee's place. Raises PostToOneself."""
    places = sorted(who.substitutions, key=lambda one: one.absent == nominee)  # that place only where there is no other
    moves = answered(approval, who.model_copy(update={"substitutions": tuple(places)}), verdict, step, now, reason)
    signed = (one.move.signature for one in moves if isinstance(one.move, StepApproved | Rejected))
    if any(nominee in one.people for one in signed):
        raise PostToOneself(
            "nobody decides on a promotion of his own, nor in the place of the one nominated; "
            "another holder of the role has to"
        )
    return moves


def _event(state: Staff, promotion_id: str, one: Decided) -> said.StaffEvent:
    about: dict[str, Any] = {"staff_id": state.staff_id, "promotion_id": promotion_id}
    match one.move:
        case StepApproved(step=step, role=role, signature=signature):
            return said.PromotionStepApproved(**about, step=step, role=role, **signature.model_dump())
        case Completed() | Rejected() | Lapsed():
            return said.PromotionDecided.model_validate({**about, "outcome": one.move.outcome})
        case Withdrawn():
            return said.PromotionDecided(**about, outcome="withdrawn")
        case Escalated(step=step, to=to, people=people, level=level):
            return said.PromotionEscalated(**about, step=step, to=to, people=list(people), level=level)
        case _:
            raise ValueError(f"{one.move.move} is no answer to a nomination")
