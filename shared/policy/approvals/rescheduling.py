"""An edited business calendar moves open deadlines only: what is decided or overdue keeps the one it was under."""

from datetime import datetime

from shared.policy.approvals.approval import OPEN, Approval
from shared.policy.approvals.decided import Decided
from shared.policy.approvals.moves import Rescheduled
from shared.policy.calendar.business import Calendar, CalendarYearUnknown
from shared.policy.calendar.reckoning import deadline


def reschedule(state: Approval | None, calendar: Calendar, now: datetime) -> list[Decided]:
    """The deadline under this calendar, counted from where it began. Repeatable.

    Nothing where it was counted so already, or where the calendar does not reach so far.
    """
    if state is None or state.status not in OPEN or state.due_at is None or now >= state.due_at:
        return []
    emergency = state.status == "pending_ratification"
    span = state.route.ratify_within if emergency else state.route.within
    if span is None or state.calendar_version == calendar.version:
        return []
    try:
        due = deadline(calendar, state.submitted_at, span, state.route.day_end)
    except CalendarYearUnknown:
        return []
    move = Rescheduled(at=now, due_before=state.due_at, due_at=due.at, calendar_version=due.calendar_version)
    return [Decided(move, state.route.policy_version, due=due)]
