"""Rules: cases run by an outside desk are recorded as they happened, told in whatever order (DOMAIN E3).

What is kept of a cycle does not depend on the order of telling, nor on repeats: of each kind of step the one that
prevails over all others. An event is said whenever that knowledge changes, and only then.
"""

from collections.abc import Sequence
from datetime import datetime

from services.feedback.model.case import Case, prevails
from shared.contracts import feedback as said
from shared.contracts import intake
from shared.contracts.decision import Refusal, Said, TooEarly


class CaseRunHere(Refusal):
    SLUG = "case-run-here"


def record_step(state: Case | None, step: intake.CaseUpdated, at: datetime) -> Sequence[Said]:
    """A step that happened at `at`. Raises TooEarly before the case is opened, CaseRunHere for one of our own."""
    if state is None:
        raise TooEarly("the case has not been opened yet")
    if state.desk == "own":
        raise CaseRunHere("this case is run by our own desk: use the routes below /v1/cases")
    told = [_event(state.case_id, step, at)]
    if step.reopen_count:
        # That anything was done in a reopened cycle tells that it had begun by then.
        told.insert(0, said.CaseReopened(case_id=state.case_id, cycle=step.reopen_count + 1, at=at, by=step.by))
    return [Said(event, at, timezone=state.timezone) for event in told if _is_news(state, event)]


def _is_news(state: Case, event: said.CaseStep) -> bool:
    known = state.cycle(event.cycle).told(type(event))
    return known is None or prevails(event, known)


def _event(case_id: str, step: intake.CaseUpdated, at: datetime) -> said.CaseStep:
    cycle, by = step.reopen_count + 1, step.by
    match step.status:
        case "acknowledged":
            return said.CaseAcknowledged(case_id=case_id, cycle=cycle, at=at, by=by)
        case "assigned":
            return said.CaseAssigned(case_id=case_id, cycle=cycle, at=at, by=by)
        case "responded":
            return said.CaseResponded(case_id=case_id, cycle=cycle, at=at, by=by, human=step.human)
        case "waiting":
            return said.CasePaused(case_id=case_id, cycle=cycle, at=at, by=by)
        case "working":
            return said.CaseResumed(case_id=case_id, cycle=cycle, at=at, by=by)
        case "resolved":
            return said.CaseResolved(
                case_id=case_id, cycle=cycle, at=at, by=by, outcome=step.outcome, time_known=step.time_known
            )
        case "closed":
            return said.CaseClosed(
                case_id=case_id,
                cycle=cycle,
                at=at,
                by=by,
                outcome=step.outcome,
                priority=step.priority,
                sla_kept=step.sla_kept,
            )
