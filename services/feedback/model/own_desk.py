"""Rules: the workflow of our own desk (DOMAIN E2). Every step needs the one before it; `by` is who took it."""

from collections.abc import Callable, Mapping
from datetime import datetime

from services.feedback.model.case import Case, Status
from services.feedback.model.opening import CaseUnknown
from shared.contracts import feedback as said
from shared.contracts.decision import Invalid, Refusal, Said

Resumed = Callable[[Case, datetime], Mapping[str, said.Target]]
Begun = Callable[[datetime, str | None], Mapping[str, said.Target]]
DONE: frozenset[Status] = frozenset({"resolved", "closed"})


class CaseRunOutside(Refusal):
    SLUG = "case-run-outside"


class CaseAlreadyAcknowledged(Refusal):
    SLUG = "case-already-acknowledged"


class CaseNotAcknowledged(Refusal):
    SLUG = "case-not-acknowledged"


class CaseAlreadyResolved(Refusal):
    SLUG = "case-already-resolved"


class CaseClosedAlready(Refusal):
    SLUG = "case-closed"


class CaseNotResolved(Refusal):
    SLUG = "case-not-resolved"


class CaseWaits(Refusal):
    SLUG = "case-waits"


class CaseNotPaused(Refusal):
    SLUG = "case-not-paused"


class CustomerNotInformed(Invalid):
    SLUG = "customer-not-informed"


def acknowledge(state: Case | None, at: datetime, by: str) -> list[Said]:
    """Say that the case was taken in (METRICS D11)."""
    case = _ours(state)
    _unless_done(case)
    if case.status not in ("received", "reopened"):
        raise CaseAlreadyAcknowledged("this case is acknowledged already; assign it, or answer the customer")
    return [Said(said.CaseAcknowledged(case_id=case.case_id, cycle=_cycle(case), at=at, by=by), at)]


def assign(state: Case | None, at: datetime, by: str, assignee: str) -> list[Said]:
    """Make somebody answerable for the case; again, to hand it on."""
    case = _ours(state)
    _only_worked_on(case, waiting=False)
    event = said.CaseAssigned(case_id=case.case_id, cycle=_cycle(case), at=at, by=by, assignee=assignee)
    return [Said(event, at)]


def respond(state: Case | None, at: datetime, by: str, human: bool, words: Mapping[str, object]) -> list[Said]:
    """Answer the customer; an automatic answer is not a human one (METRICS D12)."""
    case = _ours(state)
    if case.status == "closed":
        raise CaseClosedAlready("this case is closed: reopen it to go on with the customer")
    event = said.CaseResponded(case_id=case.case_id, cycle=_cycle(case), at=at, by=by, human=human)
    return [Said(event, at, {"words": words})]


def pause(state: Case | None, at: datetime, by: str, reason: str) -> list[Said]:
    """Wait for the customer; that time is not the desk's (METRICS D13)."""
    case = _ours(state)
    _only_worked_on(case, waiting=True)
    return [Said(said.CasePaused(case_id=case.case_id, cycle=_cycle(case), at=at, by=by, reason=reason), at)]


def resume(state: Case | None, at: datetime, by: str, deadlines: Resumed = lambda _case, _at: {}) -> list[Said]:
    """Go on after waiting for the customer; `deadlines` tells how the timers run on."""
    case = _ours(state)
    if case.status != "waiting_customer":
        raise CaseNotPaused("this case does not wait for the customer; there is nothing to resume")
    targets = dict(deadlines(case, at))
    return [Said(said.CaseResumed(case_id=case.case_id, cycle=_cycle(case), at=at, by=by, targets=targets), at)]


def resolve(
    state: Case | None, at: datetime, by: str, outcome: str | None, customer_notified: bool, words: Mapping[str, object]
) -> list[Said]:
    """Record the solution; the customer must have been told of it (S1-10)."""
    case = _ours(state)
    _only_worked_on(case, waiting=True)
    if not customer_notified:
        raise CustomerNotInformed(
            "a case is resolved once the customer was told of the solution: tell the customer, then send "
            "customerNotified true (S1-10)"
        )
    event = said.CaseResolved(
        case_id=case.case_id, cycle=_cycle(case), at=at, by=by, outcome=outcome, customer_notified=True
    )
    return [Said(event, at, {"words": words})]


def reopen(
    state: Case | None,
    at: datetime,
    by: str,
    reason: str | None,
    words: Mapping[str, object],
    deadlines: Begun = lambda _at, _priority: {},
) -> list[Said]:
    """Begin another cycle of a case that was thought to be done (METRICS D15), with deadlines of its own."""
    case = _ours(state)
    if case.status not in DONE:
        raise CaseNotResolved("this case is still open; go on with it, there is nothing to reopen")
    targets = dict(deadlines(at, case.priority))
    event = said.CaseReopened(
        case_id=case.case_id, cycle=_cycle(case) + 1, at=at, by=by, reason=reason, targets=targets
    )
    return [Said(event, at, {"words": words} if words else {})]


def close(state: Case | None, at: datetime, by: str, outcome: str | None) -> list[Said]:
    """End a resolved case; carries the priority it has then."""
    case = _ours(state)
    if case.status == "closed":
        raise CaseClosedAlready("this case is closed already; reopen it if there is more to do")
    if case.status != "resolved":
        raise CaseNotResolved("only a resolved case is closed: resolve it with its solution first")
    outcome = outcome or (resolved.outcome if (resolved := case.cycles[-1].resolved) is not None else None)
    event = said.CaseClosed(
        case_id=case.case_id, cycle=_cycle(case), at=at, by=by, outcome=outcome, priority=case.priority
    )
    return [Said(event, at)]


def _ours(state: Case | None) -> Case:
    if state is None:
        raise CaseUnknown("there is no such case; open it with POST /v1/cases")
    if state.desk == "outside":
        raise CaseRunOutside("this case is run by an outside desk: have it send the step as a case.updated event")
    return state


def _cycle(case: Case) -> int:
    return case.cycles[-1].number


def _unless_done(case: Case) -> None:
    if case.status == "closed":
        raise CaseClosedAlready("this case is closed: reopen it first")
    if case.status == "resolved":
        raise CaseAlreadyResolved("this case is resolved: close it, or reopen it first")


def _only_worked_on(case: Case, waiting: bool) -> None:
    """`waiting`: whether waiting for the customer stands in the way."""
    _unless_done(case)
    if case.status == "received":
        raise CaseNotAcknowledged("this case is not acknowledged yet: acknowledge it first")
    if waiting and case.status == "waiting_customer":
        raise CaseWaits("this case waits for the customer: resume it first")
