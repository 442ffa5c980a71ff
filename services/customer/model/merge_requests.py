"""Rules: two files become one by approval (S2-15): whoever asks does not decide, and the last yes merges.

The state machine is that of every approval (shared/policy/approvals); each of its moves is recorded with its event.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from services.customer.model.customer import Customer
from services.customer.model.merging import Act, absorb, give_up, may_merge
from services.customer.model.parts import MergeRequest
from shared.contracts import customer as said
from shared.contracts.decision import NotFound, Said
from shared.policy.approvals.acting import Acting
from shared.policy.approvals.asking import submit
from shared.policy.approvals.asking import withdraw as taken_back
from shared.policy.approvals.decided import Decided
from shared.policy.approvals.deciding import approve, expire, reject
from shared.policy.approvals.moves import Completed, Lapsed, Rejected, Request, StepApproved, Withdrawn
from shared.policy.policies import Policies


class MergeUnknown(NotFound):
    SLUG = "merge-unknown"


def ask(
    survivor: Customer | None,
    merged: Customer | None,
    merge_id: str,
    reason: str,
    who: Acting,
    policies: Policies,
    on: date,
    now: datetime,
) -> list[Said]:
    """Ask for a merge; nothing moves yet. Raises CustomerUnknown, MergeRefused, LimitUnset."""
    ours, theirs = may_merge(survivor, merged)
    route = policies.route("merge.chain", on)
    request = Request(approval_id=merge_id, kind="merge", requester=who.person)
    decided = submit(None, request, route, policies.calendar(on), now)
    event = said.MergeRequested(
        customer_id=ours.customer_id,
        merge_id=merge_id,
        merged_id=theirs.customer_id,
        steps=list(route.steps),
        requester=who.person,
        due_at=decided[0].due.at if decided[0].due else None,
        dims=ours.dims_now("manyi", {}, None),
    )
    return [_said(event, decided[0], {"reason": reason})]


def decide(
    survivor: Customer | None,
    merged: Customer | None,
    merge_id: str,
    who: Acting,
    agreed: bool,
    step: tuple[int, int],
    reason: str | None,
    now: datetime,
) -> list[Said]:
    """Approve or reject the step (number, cycle) looked at; with the last approval the survivor takes over.

    Raises MergeUnknown, what the approval rules raise, and what hinders the merge by now.
    """
    ours, asked = _asked(survivor, merge_id)
    if agreed:
        moves = approve(asked.approval, who, *step, now, reason)
    else:
        moves = reject(asked.approval, who, *step, now, reason or "")
    told = [_decision(ours, merge_id, one) for one in moves]
    if any(isinstance(one.move, Completed) for one in moves):
        told += absorb(_act(asked, merge_id, now), ours, merged)
    return told


def follow(survivor: Customer | None, merged: Customer | None, merge_id: str, now: datetime) -> list[Said]:
    """Then, on the other file: it gives up its business if that was the last approval."""
    ours, asked = _asked(survivor, merge_id)
    if merged is None or merged.customer_id not in ours.absorbed or merged.merged_into is not None:
        return []
    return give_up(_act(asked, merge_id, now), ours, merged)


def withdraw(survivor: Customer | None, merge_id: str, who: Acting, reason: str | None, now: datetime) -> list[Said]:
    """Take a request back before it is decided. Raises MergeUnknown, NotYourRequest, ApprovalNotOpen."""
    ours, asked = _asked(survivor, merge_id)
    return [_decision(ours, merge_id, one) for one in taken_back(asked.approval, who, now, reason)]


def lapse(survivor: Customer | None, merge_id: str, now: datetime) -> list[Said]:
    """The passing of a request's deadline; repeatable."""
    asked = None if survivor is None else survivor.merge_requests.get(merge_id)
    if survivor is None or asked is None:
        return []
    return [_decision(survivor, merge_id, one) for one in expire(asked.approval, now)]


def _asked(survivor: Customer | None, merge_id: str) -> tuple[Customer, MergeRequest]:
    asked = None if survivor is None else survivor.merge_requests.get(merge_id)
    if survivor is None or asked is None:
        raise MergeUnknown(f"there is no merge {merge_id}; GET /v1/merges lists them")
    return survivor, asked


def _act(asked: MergeRequest, merge_id: str, now: datetime) -> Act:
    return Act(merge_id, now, asked.reason, asked.approval.route.policy_version)


def _decision(state: Customer, merge_id: str, one: Decided) -> Said:
    move = one.move
    told = {"customer_id": state.customer_id, "merge_id": merge_id, "dims": state.dims_now("manyi", {}, None)}
    match move:
        case StepApproved():
            by = {"step": move.step, "role": move.role, "by": move.signature.by}
            return _said(said.MergeStepApproved.model_validate({**told, **by}), one, {})
        case Completed() | Rejected() | Lapsed():
            return _said(said.MergeDecided.model_validate({**told, "outcome": move.outcome}), one, {})
        case Withdrawn():
            return _said(said.MergeDecided.model_validate({**told, "outcome": "withdrawn"}), one, {})
        case _:
            raise ValueError(f"{move.move} is no decision")


def _said(event: said.CustomerEvent, one: Decided, more: Mapping[str, Any]) -> Said:
    private = {**one.private, **more, "move": one.move.model_dump(mode="json")}
    return Said(event, one.time, private, policy_version=one.policy_version)
