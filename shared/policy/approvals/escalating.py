"""Who hears that a deadline passed: up the lines of command, level by level, to the people who hold the posts."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.policy.approvals.approval import Approval
from shared.policy.approvals.moves import Escalated
from shared.policy.calendar.business import Calendar, CalendarYearUnknown
from shared.policy.calendar.reckoning import deadline
from shared.policy.chart import Chart, Rung
from shared.policy.declared import Span

A_MOMENT = timedelta(milliseconds=1)


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


def levels(state: Approval, now: datetime, last: str, ladder: Ladder | None) -> Iterator[Escalated]:
    """The levels whose time has come and that were not told yet; without a ladder the last role alone."""
    rungs = (Rung(last, ()),) if ladder is None else ladder.rungs(state, last)
    alarm, due, every = state.alarm_at, state.due_at, state.route.escalate_every
    for level, rung in enumerate(rungs[state.levels_told :], state.levels_told + 1):
        if alarm is None or now < alarm:
            return
        alarm = None
        if ladder is not None and due is not None and every is not None and level < len(rungs):
            alarm = ladder.level_at(due, every, level + 1)
        yield Escalated(at=now, step=state.step, to=rung.role, people=rung.people, level=level, next_at=alarm)
