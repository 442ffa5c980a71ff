"""By when something is to be done, as somebody says it: within a span, or on a day."""

from datetime import date, datetime
from typing import Self

from pydantic import Field, model_validator

from services.customer.model.deadlines import Deadlines
from shared.plumbing.bodies import Body
from shared.policy.calendar.due import Due
from shared.policy.declared import Span

MOST_UNITS = 1_000


class ByWhen(Body):
    """Within a span, or on a day; a day off gives way to the next day worked."""

    within: Span | None = Field(None, examples=[{"amount": 3, "unit": "working_days"}])
    due_on: date | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.within is None) is (self.due_on is None):
            raise ValueError("say either within or dueOn")
        if self.within is not None and self.within.amount > MOST_UNITS:
            raise ValueError(f"nothing is planned for longer than {MOST_UNITS} {self.within.unit}")
        return self

    def due(self, deadlines: Deadlines, start: datetime) -> Due:
        """When that is over, with its arithmetic. Raises CalendarYearUnknown."""
        last = self.within or self.due_on
        if last is None:
            raise ValueError("one of both was said")
        return deadlines.due(start, last)
