"""Who may decide the waiting step: the holder of its role, a substitute, or the one it was handed to."""

from collections.abc import Iterator
from datetime import datetime

from shared.contracts.envelope import Code, Moment
from shared.policy.approvals.approval import OPEN, Approval
from shared.policy.approvals.moves import Frozen, Signature
from shared.policy.approvals.refusals import (
    ApprovalNotOpen,
    ApprovedAlreadyByYou,
    DeadlinePassed,
    NotYourStep,
    RequesterCannotApprove,
    StepAlreadyDecided,
)
from shared.policy.declared import Role


class Substitution(Frozen):
    """A standing arrangement: this person takes an absent one's role over, from an instant until another."""

    role: Role
    absent: Code
    since: Moment
    until: Moment


class Acting(Frozen):
    """The person who acts, with the roles held now and the substitutions granted to that person."""

    person: Code
    roles: frozenset[Role]
    substitutions: tuple[Substitution, ...] = ()


def waiting_step(state: Approval, step: int, cycle: int, now: datetime) -> str:
    """The role of the step the actor looked at. Raises when it is not the waiting one any more, or too late.

    Late is late even before the timer has said so: where the deadline ends the route, nothing is decided after it.
    """
    if state.status not in OPEN:
        raise ApprovalNotOpen(f"this {state.request.kind} is {state.status}; there is nothing to decide")
    if (step, cycle) != (state.step, state.cycle):
        raise StepAlreadyDecided(
            f"step {step + 1} of round {cycle} is decided already; step {state.step + 1} of round {state.cycle} "
            f"({state.route.steps[state.step]}) is waiting: look again before deciding"
        )
    final = state.status == "pending_ratification" or state.route.on_expiry == "lapse"
    if final and state.due_at is not None and now >= state.due_at:
        raise DeadlinePassed(f"the deadline was {state.due_at:%Y-%m-%d %H:%M} UTC; make a new request")
    return state.route.steps[state.step]


def signature(state: Approval, acting: Acting, now: datetime) -> Signature:
    """How this person signs the waiting step. Raises the refusal that says why he may not."""
    if acting.person == state.request.requester:
        raise RequesterCannotApprove("nobody decides on a request of his own; somebody else with the role has to")
    role = state.route.steps[state.step]
    possible = list(_capacities(state, acting, role, now))
    if not possible:
        raise NotYourStep(f"this step is decided by the role {role}; ask a holder to decide or to hand it over")
    foreign = [one for one in possible if state.request.requester not in one.people]
    if not foreign:
        raise RequesterCannotApprove(
            "nobody decides in the place of the one who asks; another holder of the role has to"
        )
    fresh = [one for one in foreign if state.route.same_approver_twice or not one.people & state.used]
    if not fresh:
        raise ApprovedAlreadyByYou("one person takes one step of this chain only; another holder of the role has to")
    return fresh[0]


def holds_step(state: Approval, acting: Acting) -> bool:
    """Whether the waiting step is this person's own, not borrowed."""
    return state.route.steps[state.step] in acting.roles


def _capacities(state: Approval, acting: Acting, role: str, now: datetime) -> Iterator[Signature]:
    """Every capacity in which the person could sign, the own role first."""
    if role in acting.roles:
        yield Signature(by=acting.person)
    for one in acting.substitutions:
        if one.role == role and one.since <= now < one.until and one.absent != acting.person:
            yield Signature(by=acting.person, on_behalf_of=one.absent)
    for handed in state.handed_over:
        if handed.to == acting.person and now < handed.until:
            yield Signature(by=acting.person, on_behalf_of=handed.by)
