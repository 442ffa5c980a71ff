"""Where something stands that is decided step by step: shown, and looked for, alike for all of them."""

from typing import Any

from services.customer.views.customer_file import Shown
from shared.contracts.envelope import Moment
from shared.policy.approvals.approval import OPEN, Approval
from shared.policy.calendar.business import Calendar
from shared.policy.calendar.reckoning import deadline


class Standing(Shown):
    """Who asked, and which role decides the waiting step until when; `why` is the arithmetic of that, by language."""

    requester: str
    status: str
    step: int
    cycle: int
    waiting_for: str | None = None
    due_at: Moment | None = None
    why: dict[str, str] = {}


def standing(approval: Approval, calendar: Calendar | None = None) -> dict[str, Any]:
    """The fields of `Standing`; `why` by the business calendar of today."""
    told = approval.model_dump(include={"status", "step", "cycle", "due_at"})
    why = {} if calendar is None else _why(approval, calendar)
    return {**told, "requester": approval.request.requester, "waiting_for": approval.waiting_for, "why": why}


def _why(approval: Approval, calendar: Calendar) -> dict[str, str]:
    """How the deadline was counted; nothing where none is open, or where it is that of another calendar."""
    span = approval.route.ratify_within if approval.status == "pending_ratification" else approval.route.within
    if approval.status not in OPEN or span is None or approval.calendar_version != calendar.version:
        return {}
    due = deadline(calendar, approval.submitted_at, span, approval.route.day_end)
    return {"zh": due.explained("zh"), "en": due.explained("en")}


def waits_for(role: str) -> dict[str, Any]:
    """Those whose waiting step this role decides, as a filter."""
    at_step = {"$arrayElemAt": ["$approval.route.steps", "$approval.step"]}
    return {"approval.status": {"$in": sorted(OPEN)}, "$expr": {"$eq": [at_step, role]}}
