"""Rules: how long a customer may go without a word from us, by grade (S1-17, S3-24)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.customer.model.customer import Customer
from shared.policy.calendar.business import Calendar
from shared.policy.calendar.due import Due
from shared.policy.calendar.reckoning import DayEnd, deadline
from shared.policy.declared import Span
from shared.policy.policies import Policies

KEY = "contact.cadence"
LEAST = {
    "calendar_days": timedelta(days=1),
    "working_days": timedelta(days=1),
    "months": timedelta(days=28),
    "years": timedelta(days=365),
}
"""How long one of a unit is at least."""


@dataclass(frozen=True)
class Cadence:
    """Grade → the longest silence; who has no such grade is not waited for."""

    longest: Mapping[str, Span]
    calendar: Calendar
    day_end: DayEnd
    version: str

    @classmethod
    def of(cls, policies: Policies, on: date) -> "Cadence":
        """As in force on a day. Raises LimitUnset."""
        decided = policies.value(KEY, on)
        spans = {grade: policies.row(KEY, grade, on)[0] for grade, days in decided.value.items() if days is not None}
        longest = {grade: span for grade, span in spans.items() if isinstance(span, Span)}
        return cls(longest, policies.calendar(on), policies.day_end(on), decided.version)

    def due(self, state: Customer) -> Due | None:
        """By when the next contact is due, with its arithmetic; None without a cadence or a first contact.

        Raises CalendarYearUnknown for a year nobody has announced or declared.
        """
        span = None if state.grade is None else self.longest.get(state.grade)
        if span is None or state.contacted_at is None:
            return None
        return deadline(self.calendar, state.contacted_at, span, self.day_end)

    def overdue(self, state: Customer, now: datetime) -> bool:
        """Whether the customer should have heard from us before now. Raises CalendarYearUnknown."""
        silent = self.silent_before(now).get(state.grade or "")
        if silent is None or state.contacted_at is None or state.contacted_at >= silent:
            return False
        due = self.due(state)
        return due is not None and due.at <= now

    def silent_before(self, now: datetime) -> dict[str, datetime]:
        """Grade → customers whose last contact is not before this instant are not overdue; the others may be.

        A due day off gives way to a later one, so each of the others has to be asked for its own day.
        """
        return {grade: now - span.amount * LEAST.get(span.unit, timedelta()) for grade, span in self.longest.items()}
