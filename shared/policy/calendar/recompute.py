"""An edited calendar moves open deadlines only: what was settled keeps the due date it was settled under."""

from collections.abc import Iterable
from datetime import date

from pydantic import BaseModel, ConfigDict

from shared.contracts.envelope import Moment
from shared.policy.calendar.business import Calendar
from shared.policy.calendar.due import Due
from shared.policy.calendar.reckoning import DayEnd, deadline
from shared.policy.declared import Span


class Running(BaseModel):
    """One deadline as it was set; `settled` ones (kept, missed or void) are not computed again."""

    model_config = ConfigDict(frozen=True)
    deadline_id: str
    start: Moment | date
    span: Span
    day_end: DayEnd = "midnight"
    settled: bool = False


class Moved(BaseModel):
    """An open deadline that the edit moves, with both arithmetics for the audit entry."""

    model_config = ConfigDict(frozen=True)
    deadline_id: str
    before: Due
    after: Due


def moved(deadlines: Iterable[Running], before: Calendar, after: Calendar) -> tuple[Moved, ...]:
    """The open deadlines that are due at another instant under `after`, in the order given.

    Raises CalendarYearUnknown when either calendar does not reach as far as a deadline.
    """
    found = []
    for running in deadlines:
        if running.settled:
            continue
        old, new = (deadline(one, running.start, running.span, running.day_end) for one in (before, after))
        if old.at != new.at:
            found.append(Moved(deadline_id=running.deadline_id, before=old, after=new))
    return tuple(found)
