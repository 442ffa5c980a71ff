"""Rules for the one who asks: submit, correct, withdraw, and act at once in an emergency. Pure.

Purchases (S0-31), emergencies (S0-32), gifts (S0-40), expenses (S3-06), key changes (S2-19), schemes (S4-19) alike.
Every rule answers moves to be recorded or raises a refusal that says what to do instead; time and ids are arguments.
"""

from datetime import datetime
from typing import Any

from shared.policy.approvals import refusals
from shared.policy.approvals.acting import Acting
from shared.policy.approvals.approval import Approval
from shared.policy.approvals.chain import Route
from shared.policy.approvals.decided import Decided, decided, existing
from shared.policy.approvals.moves import AuthorisedInEmergency, Request, Resubmitted, Submitted, Withdrawn
from shared.policy.calendar.business import Calendar
from shared.policy.calendar.due import Due
from shared.policy.calendar.reckoning import deadline
from shared.policy.declared import Span


def submit(state: Approval | None, request: Request, route: Route, calendar: Calendar, now: datetime) -> list[Decided]:
    """Ask for approval; the deadline of the whole route runs from now. Raises AlreadySubmitted."""
    if state is not None:
        raise refusals.AlreadySubmitted(f"this {request.kind} is {state.status} already; open a new one")
    due = _due(route.within, route, calendar, now)
    move = Submitted(at=now, request=request, route=route, **_deadline_of(due))
    return [Decided(move, route.policy_version, due=due)]


def authorise_in_emergency(
    state: Approval | None, request: Request, route: Route, acting: Acting, calendar: Calendar, now: datetime
) -> list[Decided]:
    """Let somebody act now; every step of the route is recorded afterwards, within the ratification deadline (S0-32).

    Raises NoEmergencyPath, RequesterCannotApprove, AlreadySubmitted.
    """
    if state is not None:
        raise refusals.AlreadySubmitted(f"this {request.kind} is {state.status} already; open a new one")
    role = next((role for role in route.emergency_by if role in acting.roles), None)
    if role is None or route.ratify_within is None:
        allowed = " or ".join(route.emergency_by) or "nobody"
        raise refusals.NoEmergencyPath(f"{allowed} may authorise a {request.kind} at once; submit it for approval")
    if acting.person == request.requester:
        raise refusals.RequesterCannotApprove(
            "nobody authorises a request of his own, least of all in a hurry; ask somebody else who may"
        )
    due = deadline(calendar, now, route.ratify_within, route.day_end)
    move = AuthorisedInEmergency(
        at=now,
        request=request,
        route=route,
        by=acting.person,
        role=role,
        due_at=due.at,
        calendar_version=due.calendar_version,
    )
    return [Decided(move, route.policy_version, due=due)]


def resubmit(
    state: Approval | None, acting: Acting, request: Request, route: Route, calendar: Calendar, now: datetime
) -> list[Decided]:
    """Send a returned request again, corrected: a new cycle with a new deadline, all steps from the first."""
    returned = existing(state)
    _own(returned, acting)
    if returned.status != "returned":
        raise refusals.ApprovalNotOpen(
            f"this {returned.request.kind} is {returned.status}, not returned to you; there is nothing to correct"
        )
    if (request.approval_id, request.requester) != (returned.request.approval_id, returned.request.requester):
        raise refusals.NotYourRequest(
            "a correction keeps the request and its requester; send it for the same one, as the same person"
        )
    due = _due(route.within, route, calendar, now)
    move = Resubmitted(at=now, request=request, route=route, **_deadline_of(due))
    return [Decided(move, route.policy_version, due=due)]


def withdraw(state: Approval | None, acting: Acting, now: datetime, reason: str | None = None) -> list[Decided]:
    """Take a request back before it is decided. Raises NotYourRequest, ApprovalNotOpen."""
    mine = existing(state)
    _own(mine, acting)
    if mine.status not in ("pending", "returned"):
        raise refusals.ApprovalNotOpen(
            f"this {mine.request.kind} is {mine.status}; there is nothing to withdraw any more"
        )
    return decided(mine, [Withdrawn(at=now)], reason)


def _own(state: Approval, acting: Acting) -> None:
    if acting.person != state.request.requester:
        raise refusals.NotYourRequest("only the one who asked may do this; ask that person")


def _due(span: Span | None, route: Route, calendar: Calendar, now: datetime) -> Due | None:
    return None if span is None else deadline(calendar, now, span, route.day_end)


def _deadline_of(due: Due | None) -> dict[str, Any]:
    return {} if due is None else {"due_at": due.at, "calendar_version": due.calendar_version}
