"""Rules: deadlines of what was promised and planned, and what is told as time passes (S3-23, E6)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from services.customer.model import claims, cleaning, commitments, plans
from services.customer.model.customer import Customer
from services.customer.model.open_timers import CLAIM, CLEANING, COMMITMENT, MAINTENANCE
from shared.contracts.decision import Said, Scene
from shared.contracts.feedback import Target
from shared.policy.calendar.business import Calendar
from shared.policy.calendar.due import Due
from shared.policy.calendar.reckoning import DayEnd, business_minutes_between, deadline
from shared.policy.declared import Span
from shared.policy.policies import LimitUnset, Policies, UnitMistaken
from shared.policy.timers import Stage, Timer, due_stages

TELLS: Mapping[str, Callable[[Customer, str, Timer, Stage, str | None], Said]] = {
    COMMITMENT: commitments.fell_due,
    MAINTENANCE: plans.fell_due,
    CLEANING: cleaning.fell_due,
    CLAIM: claims.fell_due,
}
"""Kind of timer → what is said of it when it comes; a role is told of what is overdue, level by level."""

A_MOMENT = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Deadlines:
    """What the policies say of when to warn and whom to tell; days are those of `zone`."""

    policies: Policies
    zone: ZoneInfo

    def calendar(self, now: datetime) -> tuple[Calendar, DayEnd]:
        """The business calendar in force, and when a day ends."""
        on = self.day(now)
        return self.policies.calendar(on), self.policies.day_end(on)

    def due(self, start: datetime, last: Span | date) -> Due:
        """When a span, or a named day, is over; a day off gives way to the next day worked.

        Raises CalendarYearUnknown for a year nobody has announced or declared.
        """
        calendar, day_end = self.calendar(start)
        if isinstance(last, date):
            return deadline(calendar, last, Span(amount=0, unit="calendar_days"), day_end)
        return deadline(calendar, start, last, day_end)

    def review(self, start: datetime) -> Target:
        """The next review of a relation (S3-05)."""
        every, _ = self.policies.span("relation.review.every", self.day(start))
        return self.target(MAINTENANCE, start, self.due(start, every))

    def target(self, kind: str, start: datetime, due: Due) -> Target:
        """The deadline with its warning and the levels after it. Raises LimitUnset, CalendarYearUnknown."""
        on = self.day(start)
        calendar, day_end = self.calendar(start)
        warn, version = self.policies.span(f"{kind}.warn", on)
        every, _ = self.policies.span(f"{kind}.escalate.every", on)
        steps = [Span(amount=every.amount * level, unit=every.unit) for level, _ in enumerate(self.levels(kind, on), 1)]
        last = due.at - A_MOMENT  # what ends at 24:00 belongs to the day that ends
        return Target(
            warn_at=max(start, before(calendar, due.at, warn)),
            due_at=due.at,
            escalate_at=tuple(deadline(calendar, last, one, day_end).at for one in steps),
            business_minutes=business_minutes_between(calendar, start, due.at),
            calendar_version=calendar.version,
            policy_version=version,
        )

    def levels(self, kind: str, on: date) -> tuple[str, ...]:
        """The roles to be told, level by level; none where the policies name none."""
        try:
            roles: tuple[str, ...] = self.policies.value(f"{kind}.escalate.to", on).value
        except LimitUnset:
            return ()
        return roles

    def tell(self, state: Customer | None, scene: Scene) -> list[Said]:
        """Rule of the timekeeper: what has come of a file's deadlines. What was told is not told again."""
        if state is None:
            return []
        on = self.day(scene.now)
        return [
            TELLS[timer.kind](state, name, timer, stage, _role(self.levels(timer.kind, on), stage))
            for name, timer in sorted(state.timers.items())
            for stage in due_stages(timer, scene.now)
        ]

    def day(self, now: datetime) -> date:
        """The day of an instant, here."""
        return now.astimezone(self.zone).date()


def _role(levels: tuple[str, ...], stage: Stage) -> str | None:
    """Stage 1 is the deadline itself; after it each stage is told to the next role."""
    level = stage.number - 2
    return levels[level] if 0 <= level < len(levels) else None


def before(calendar: Calendar, due: datetime, left: Span) -> datetime:
    """The instant from which so many days are left, that of the deadline included. Raises UnitMistaken."""
    if left.unit not in ("working_days", "calendar_days"):
        raise UnitMistaken(f"a warning comes working_days or calendar_days before a deadline, not {left.unit}")
    day, days = calendar.local_day(due - A_MOMENT), left.amount
    while days:
        day -= timedelta(days=1)
        days -= left.unit == "calendar_days" or calendar.day(day).worked
    return min(calendar.end_of(day), due)
