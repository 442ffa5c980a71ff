"""Rules for those who decide a step, and for the clock. Pure; time is an argument.

`step` and `cycle` name the step the person looked at: of two approvers of one step, the second is refused.
"""

from datetime import datetime

from shared.policy.approvals import refusals
from shared.policy.approvals.acting import Acting, holds_step, signature, waiting_step
from shared.policy.approvals.approval import OPEN, Approval
from shared.policy.approvals.decided import Decided, decided, existing, written
from shared.policy.approvals.escalating import Ladder, levels
from shared.policy.approvals.moves import (
    Completed,
    Lapsed,
    Move,
    Rejected,
    Returned,
    StepApproved,
    StepHandedOver,
)


def approve(
    state: Approval | None, acting: Acting, step: int, cycle: int, now: datetime, reason: str | None = None
) -> list[Decided]:
    """Agree to the step looked at; the last one completes the approval.

    Raises StepAlreadyDecided when somebody was faster, NotYourStep, RequesterCannotApprove, ApprovedAlreadyByYou,
    DeadlinePassed when the route lapses with its deadline, ApprovalNotOpen.
    """
    open_ = existing(state)
    role = waiting_step(open_, step, cycle, now)
    signed = signature(open_, acting, now)
    late = open_.due_at is not None and now >= open_.due_at
    moves: list[Move] = [StepApproved(at=now, step=step, role=role, signature=signed, late=late)]
    if step + 1 == len(open_.route.steps):
        moves.append(Completed(at=now, outcome="approved" if open_.status == "pending" else "ratified"))
    return decided(open_, moves, reason)


def reject(state: Approval | None, acting: Acting, step: int, cycle: int, now: datetime, reason: str) -> list[Decided]:
    """Say no at the step looked at, with the reason; after an emergency the act becomes a violation."""
    open_ = existing(state)
    role = waiting_step(open_, step, cycle, now)
    signed = signature(open_, acting, now)
    outcome = "rejected" if open_.status == "pending" else "violation"
    return decided(open_, [Rejected(at=now, step=step, role=role, signature=signed, outcome=outcome)], written(reason))


def return_to_requester(
    state: Approval | None, acting: Acting, step: int, cycle: int, now: datetime, reason: str
) -> list[Decided]:
    """Ask the requester for a correction, with the reason. What was done in an emergency cannot be returned."""
    open_ = existing(state)
    role = waiting_step(open_, step, cycle, now)
    if open_.status != "pending":
        raise refusals.ApprovalNotOpen("what was done already cannot be corrected; ratify or reject it")
    signed = signature(open_, acting, now)
    return decided(open_, [Returned(at=now, step=step, role=role, signature=signed)], written(reason))


def hand_over(
    state: Approval | None, acting: Acting, to: str, until: datetime, step: int, cycle: int, now: datetime, reason: str
) -> list[Decided]:
    """Let somebody else decide this step, until an instant; what was borrowed cannot be handed on."""
    open_ = existing(state)
    waiting_step(open_, step, cycle, now)
    signature(open_, acting, now)
    if not open_.route.hand_over or not holds_step(open_, acting):
        raise refusals.HandOverRefused(
            "only the holder of the role hands a step over, where the pack allows it; ask that person"
        )
    if to in {acting.person, open_.request.requester} or (to in open_.used and not open_.route.same_approver_twice):
        raise refusals.HandOverRefused("hand it to somebody who neither asks nor has approved, and is not yourself")
    if until <= now:
        raise refusals.HandOverRefused("the period is over already; name an end that lies ahead")
    move = StepHandedOver(at=now, step=step, by=acting.person, to=to, until=until)
    return decided(open_, [move], written(reason))


def expire(state: Approval | None, now: datetime, ladder: Ladder | None = None) -> list[Decided]:
    """What the passing of the deadline does: escalate, lapse, or make an emergency a violation. Repeatable.

    With a ladder every level whose time has come is told, the people who hold it included; without, the last role.
    """
    if state is None or state.status not in OPEN or state.due_at is None or now < state.due_at:
        return []
    if state.status == "pending_ratification":
        return decided(state, [Lapsed(at=now, step=state.step, outcome="violation")], None)
    if state.route.on_expiry == "lapse":
        return decided(state, [Lapsed(at=now, step=state.step, outcome="lapsed")], None)
    last = state.route.escalate_to
    if last is None:
        return []
    moves = list[Move](levels(state, now, last, ladder))
    return decided(state, moves, None) if moves else []
