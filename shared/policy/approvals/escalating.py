"""Who hears that a deadline passed: up the lines of command, level by level, to the people who hold the posts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from shared.policy.approvals.approval import UNNAMED, Approval
from shared.policy.approvals.moves import Escalated
from shared.policy.calendar.business import Calendar, CalendarYearUnknown
from shared.policy.calendar.reckoning import deadline
from shared.policy.chart import Chart, Rung
from shared.policy.declared import Span

A_MOMENT = timedelta(milliseconds=1)


class Call(NamedTuple):
    """One level that hears of it: who, counted how, and when the next level does."""

    rung: Rung
    level: int
    next_at: datetime | None


@dataclass(frozen=True)
class Ladder:
    """The chart, and the calendar by which one level follows the other; None while the policies leave it unset."""

    chart: Chart
    calendar: Calendar | None

    def rungs(self, state: Approval, last: str) -> tuple[Rung, ...]:
        """Above the role that decides the waiting step, around where the requester works; `last` is the last.

        Where no time lies between levels, the last one is told at once and alone.
        """
        near = self.chart.units_of(state.request.requester)
        if state.route.escalate_every is None:
            return (Rung(last, self.chart.holding(last, near)),)
        return self.chart.rungs(state.route.steps[state.step], last, near)

    def level_at(self, due: datetime, every: Span, level: int) -> datetime:
        """When a level hears that something was due; the first one, counted from 1, at once.

        Without a calendar, and in a year whose days off nobody has announced yet, every day counts: better told early
        than never.
        """
        if level == 1:
            return due
        last, after = due - A_MOMENT, every.amount * (level - 1)  # what ends at 24:00 belongs to the day that ends
        if self.calendar is None:
            return due + timedelta(days=after)
        try:
            return deadline(self.calendar, last, every.model_copy(update={"amount": after})).at
        except CalendarYearUnknown:
            return due + timedelta(days=after)


def calls(
    rungs: Sequence[Rung],
    told_to: Sequence[str],
    alarm: datetime | None,
    now: datetime,
    at: Callable[[int], datetime | None],
) -> Iterator[Call]:
    """The levels whose time has come and that were not told yet, the nearest first, counted from 1.

    They are known by their roles: between two levels posts are filled and left, and steps decided. Those told unnamed
    were the nearest. The last one ends it, so it has not heard while an alarm stands; `at` says when a level hears.
    """
    left = [one for one in rungs if one.role not in told_to]
    left = left[told_to.count(UNNAMED) :] or left[-1:]
    for level, rung in enumerate(left, len(told_to) + 1):
        if alarm is None or now < alarm:
            return
        alarm = at(level + 1) if rung != left[-1] else None
        yield Call(rung, level, alarm)


def levels(state: Approval, now: datetime, last: str, ladder: Ladder | None) -> Iterator[Escalated]:
    """The levels whose time has come and that were not told yet; without a ladder the last role alone."""
    rungs = (Rung(last, ()),) if ladder is None else ladder.rungs(state, last)
    due, every = state.due_at, state.route.escalate_every

    def at(level: int) -> datetime | None:
        return ladder.level_at(due, every, level) if ladder and due and every else None

    for (role, people), level, next_at in calls(rungs, state.told_to, state.alarm_at, now, at):
        yield Escalated(at=now, step=state.step, to=role, people=people, level=level, next_at=next_at)
