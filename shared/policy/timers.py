"""Deadlines as data: when to warn, when it is due, whom to tell when it is overdue (DOMAIN E6). Pure; has no clock.

A timer is part of the state it is about, so it starts, stops and fires in that state's own transactions: what was told
is counted in it, and telling it twice changes nothing.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from shared.contracts.feedback import Target
from shared.policy.calendar.business import Calendar
from shared.policy.calendar.reckoning import DayEnd, business_minutes_between, deadline
from shared.policy.declared import Span


class Timer(BaseModel):
    """A running deadline of one kind in one cycle of its object; `told` counts the stages already told."""

    model_config = ConfigDict(frozen=True)
    kind: str
    cycle: int
    target: Target
    told: int = 0
    stopped_at: datetime | None = None
    """Standing still since then."""

    @property
    def next_at(self) -> datetime | None:
        """When there is something to tell; None while it stands still, and once all was told."""
        instants = _instants(self.target)
        return None if self.stopped_at is not None or self.told >= len(instants) else instants[self.told]


class Stage(NamedTuple):
    """What has come of a timer: 0 the warning, 1 due, 2 and more overdue; and when it came."""

    number: int
    at: datetime


def target(
    calendar: Calendar,
    start: datetime,
    span: Span,
    *,
    warn_percent: int,
    escalate: Sequence[Span],
    day_end: DayEnd,
    version: str,
) -> Target:
    """A deadline from `start` on; the warning comes when `warn_percent` of the span are left.

    Raises CalendarYearUnknown for a year nobody has announced or declared.
    """
    due = deadline(calendar, start, span, day_end)
    early = Span(amount=span.amount * (100 - warn_percent) // 100, unit=span.unit)
    return Target(
        warn_at=min(deadline(calendar, start, early, day_end).at, due.at),
        due_at=due.at,
        escalate_at=tuple(deadline(calendar, due.at, one, day_end).at for one in escalate),
        business_minutes=business_minutes_between(calendar, start, due.at),
        calendar_version=calendar.version,
        policy_version=version,
    )


def due_stages(timer: Timer, now: datetime) -> list[Stage]:
    """The stages to be told by now, in order. Who was late with everything is not warned any more."""
    if timer.stopped_at is not None:
        return []
    come = [Stage(number, at) for number, at in enumerate(_instants(timer.target)) if at <= now]
    left = come[timer.told :]
    return [stage for stage in left if stage.number > 0 or len(come) == 1]


def soonest(timers: Iterable[Timer]) -> datetime | None:
    """When the first of them has something to tell."""
    return min((at for timer in timers if (at := timer.next_at) is not None), default=None)


def moved(calendar: Calendar, timer: Timer, now: datetime) -> Target:
    """The target after standing still from `stopped_at` to now: every instant still ahead then is as far ahead now."""

    def again(at: datetime) -> datetime:
        stopped = timer.stopped_at or now
        if at <= stopped:
            return at
        left = business_minutes_between(calendar, stopped, at)
        return deadline(calendar, now, Span(amount=left, unit="business_minutes")).at

    old = timer.target
    return old.model_copy(
        update={
            "warn_at": again(old.warn_at),
            "due_at": again(old.due_at),
            "escalate_at": tuple(again(at) for at in old.escalate_at),
        }
    )


def _instants(of: Target) -> tuple[datetime, ...]:
    return (of.warn_at, of.due_at, *of.escalate_at)
