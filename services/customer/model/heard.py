"""What other services told about a customer, folded when it is read: cases as they stand, answers, latest first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.contracts import feedback, survey

KINDS = {
    feedback.ComplaintOpened.TYPE: "complaint",
    feedback.InquiryOpened.TYPE: "inquiry",
    feedback.SuggestionOpened.TYPE: "suggestion",
    feedback.PraiseOpened.TYPE: "praise",
}
STATUS_AFTER = {
    feedback.CaseReopened.TYPE: "reopened",
    feedback.CaseAcknowledged.TYPE: "acknowledged",
    feedback.CaseAssigned.TYPE: "assigned",
    feedback.CasePaused.TYPE: "waiting_customer",
    feedback.CaseResumed.TYPE: "investigating",
    feedback.CaseResolved.TYPE: "resolved",
    feedback.CaseClosed.TYPE: "closed",
}
"""Where a step leads; of two at the same instant the later one in this list counts, as in the feedback service."""
RANK = {kind: rank for rank, kind in enumerate(STATUS_AFTER)}
OVER = ("resolved", "closed")


@dataclass(frozen=True)
class Told:
    """One event of another service: `event` names it (subject and revision), `data` is what it says in public."""

    event: str
    subject: str
    type: str
    at: datetime
    data: Mapping[str, Any]


@dataclass(frozen=True)
class CaseTold:
    """A case as far as we heard; `breached` names the events by which a deadline passed."""

    case_id: str
    kind: str
    status: str
    opened_at: datetime
    changed_at: datetime
    opened_by: str
    channel: str | None
    category: str | None
    product: str | None
    severity: str | None
    priority: str | None
    breached: tuple[str, ...]

    @property
    def open(self) -> bool:
        """Whether the customer still waits for something."""
        return self.status not in OVER


def cases(told: Iterable[Told]) -> list[CaseTold]:
    """Every case whose opening was heard, the one opened last first."""
    of_case: dict[str, list[Told]] = {}
    for one in told:
        of_case.setdefault(one.subject, []).append(one)
    found = [case for events in of_case.values() if (case := _case(events)) is not None]
    return sorted(found, key=lambda case: (case.opened_at, case.case_id), reverse=True)


def responses(told: Iterable[Told]) -> list[Told]:
    """The surveys that were answered, the last first."""
    answered = [one for one in told if one.type == survey.SurveyResponded.TYPE]
    return sorted(answered, key=lambda one: (one.at, one.event), reverse=True)


def _case(events: Sequence[Told]) -> CaseTold | None:
    opening = next((one for one in events if one.type in KINDS), None)
    if opening is None:
        return None
    steps = [one for one in events if one.type in STATUS_AFTER]
    last = max(steps, key=lambda one: (one.data["cycle"], one.at, RANK[one.type]), default=None)
    said = opening.data
    priorities = [one.data["priority"] for one in steps if "priority" in one.data]
    return CaseTold(
        case_id=opening.subject,
        kind=KINDS[opening.type],
        status="received" if last is None else STATUS_AFTER[last.type],
        opened_at=opening.at,
        changed_at=opening.at if last is None else last.at,
        opened_by=opening.event,
        channel=said.get("channel"),
        category=said.get("category"),
        product=said.get("product"),
        severity=said.get("severity"),
        priority=priorities[-1] if priorities else said.get("priority"),
        breached=tuple(one.event for one in events if one.type == feedback.SlaBreached.TYPE),
    )
