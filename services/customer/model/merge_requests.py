"""Rules: two files become one by approval (S2-15): whoever asks does not decide, and the last yes merges.

The state machine is that of every approval (shared/policy/approvals); each of its moves is recorded with its event.
"""

from datetime import date, datetime
from typing import Any

from services.customer.model.approving import Events, Verdict, answered, completes, recorded, told
from services.customer.model.customer import Customer
from services.customer.model.merging import Act, absorb, give_up, may_merge
from services.customer.model.parts import MergeRequest
from shared.contracts import merges as said
from shared.contracts.decision import NotFound, Said
from shared.policy.approvals.acting import Acting
from shared.policy.approvals.asking import resubmit as sent_again
from shared.policy.approvals.asking import submit
from shared.policy.approvals.asking import withdraw as taken_back
from shared.policy.approvals.deciding import expire
from shared.policy.approvals.escalating import Ladder
from shared.policy.approvals.moves import Request
from shared.policy.approvals.rescheduling import reschedule as under_calendar
from shared.policy.calendar.business import Calendar
from shared.policy.policies import Policies

EVENTS = Events(
    said.MergeStepApproved, said.MergeReturned, said.MergeDecided, said.MergeEscalated, said.MergeRescheduled
)


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
        **_about(ours, merge_id),
        merged_id=theirs.customer_id,
        steps=list(route.steps),
        requester=who.person,
        due_at=decided[0].due.at if decided[0].due else None,
    )
    return [recorded(event, decided[0], {"reason": reason})]


def ask_again(
    survivor: Customer | None, merge_id: str, reason: str, who: Acting, policies: Policies, on: date, now: datetime
) -> list[Said]:
    """Send a returned request again, better reasoned.

    Raises MergeUnknown, ApprovalNotOpen, NotYourRequest, LimitUnset.
    """
    ours, asked = _asked(survivor, merge_id)
    route = policies.route("merge.chain", on)
    decided = sent_again(asked.approval, who, asked.approval.request, route, policies.calendar(on), now)
    event = said.MergeResubmitted(
        **_about(ours, merge_id),
        steps=list(route.steps),
        due_at=decided[0].due.at if decided[0].due else None,
    )
    return [recorded(event, decided[0], {"reason": reason})]


def decide(
    survivor: Customer | None,
    merged: Customer | None,
    merge_id: str,
    who: Acting,
    verdict: Verdict,
    step: tuple[int, int],
    reason: str | None,
    now: datetime,
) -> list[Said]:
    """Approve, reject or return the step (number, cycle) looked at; with the last approval the survivor takes over.

    Raises MergeUnknown, what the approval rules raise, and what hinders the merge by now.
    """
    ours, asked = _asked(survivor, merge_id)
    moves = answered(asked.approval, who, verdict, step, now, reason)
    taken_over = absorb(_act(asked, merge_id, now), ours, merged) if completes(moves) else []
    return [*told(EVENTS, _about(ours, merge_id), moves), *taken_over]


def follow(survivor: Customer | None, merged: Customer | None, merge_id: str, now: datetime) -> list[Said]:
    """Then, on the other file: it gives up its business if that was the last approval."""
    ours, asked = _asked(survivor, merge_id)
    if merged is None or merged.customer_id not in ours.absorbed or merged.merged_into is not None:
        return []
    return give_up(_act(asked, merge_id, now), ours, merged)


def withdraw(survivor: Customer | None, merge_id: str, who: Acting, reason: str | None, now: datetime) -> list[Said]:
    """Take a request back before it is decided. Raises MergeUnknown, NotYourRequest, ApprovalNotOpen."""
    ours, asked = _asked(survivor, merge_id)
    return told(EVENTS, _about(ours, merge_id), taken_back(asked.approval, who, now, reason))


def lapse(survivor: Customer | None, merge_id: str, now: datetime, ladder: Ladder | None = None) -> list[Said]:
    """The passing of a request's deadline; repeatable."""
    asked = None if survivor is None else survivor.merge_requests.get(merge_id)
    if survivor is None or asked is None:
        return []
    return told(EVENTS, _about(survivor, merge_id), expire(asked.approval, now, ladder))


def reschedule(survivor: Customer | None, merge_id: str, calendar: Calendar, now: datetime) -> list[Said]:
    """The deadline under an edited calendar; repeatable."""
    asked = None if survivor is None else survivor.merge_requests.get(merge_id)
    if survivor is None or asked is None:
        return []
    return told(EVENTS, _about(survivor, merge_id), under_calendar(asked.approval, calendar, now))


def _asked(survivor: Customer | None, merge_id: str) -> tuple[Customer, MergeRequest]:
    asked = None if survivor is None else survivor.merge_requests.get(merge_id)
    if survivor is None or asked is None:
        raise MergeUnknown(f"there is no merge {merge_id}; GET /v1/merges lists them")
    return survivor, asked


def _act(asked: MergeRequest, merge_id: str, now: datetime) -> Act:
    return Act(merge_id, now, asked.reason, asked.approval.route.policy_version)


def _about(state: Customer, merge_id: str) -> dict[str, Any]:
    return {"customer_id": state.customer_id, "merge_id": merge_id, "dims": state.dims_now("manyi", {}, None)}
