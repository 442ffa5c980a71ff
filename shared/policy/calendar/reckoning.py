"""Deadlines: business minutes, working days (工作日), calendar days (日), months, hours (S0-31, S0-26, S0-38, Q1).

Sources: Civil Code of the PRC 201 (the first day is not counted), 202 (months and years end on the same day of the
month, else on its last), 203 (a last day that is a day off gives way to the next day that is not; the last day ends
at 24:00, or at the close of business where there are business hours). Working days are Monday to Friday and make-up
workdays, without official days off. Minutes and hours run on the wall clock.
"""

import calendar as months_of
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from shared.policy.calendar.business import Calendar, Day
from shared.policy.calendar.due import (
    UNITS,
    Due,
    Line,
    finished,
    said_locally,
    short,
    skipped_lines,
    start_line,
)
from shared.policy.declared import Span

DayEnd = Literal["midnight", "close"]
"""Q1: a day ends at 24:00, or with its last business hour."""
_A_DAY = timedelta(days=1)


def deadline(calendar: Calendar, start: datetime | date, span: Span, day_end: DayEnd = "midnight") -> Due:
    """When a span that begins at `start` is over.

    Give a date where a period rather than an instant begins it: ten days after the third quarter start with
    2026-09-30, its last day. Spans of minutes and hours need an instant. Raises ValueError for an instant without
    offset or a date where an instant is needed, CalendarYearUnknown for a year nobody has announced or declared.
    """
    if span.unit in ("minutes", "hours", "business_minutes"):
        if not isinstance(start, datetime):
            raise ValueError(f"{span.unit} run from an instant, not from a day")
        if span.unit == "business_minutes":
            return add_business_minutes(calendar, start, span.amount)
        return add_wall_clock(calendar, start, span)
    if span.unit == "working_days":
        return add_working_days(calendar, start, span.amount, day_end)
    return add_calendar_time(calendar, start, span, day_end)


def add_business_minutes(calendar: Calendar, start: datetime, minutes: int) -> Due:
    """The instant at which so many business minutes (≥ 0) have passed; what ends with an interval is due then."""
    span = Span(amount=minutes, unit="business_minutes")
    lines = [start_line(calendar, start, span, day_counted=True)]
    left, at, day = timedelta(minutes=minutes), start.astimezone(UTC), calendar.local_day(start)
    seen: list[Day] = []
    idle: list[Day] = []
    while left:
        today = calendar.day(day)
        seen.append(today)
        if not today.worked:
            idle.append(today)
        for opens, closes, _ in today.intervals:
            if closes <= at:
                continue
            lines += skipped_lines(idle)
            idle.clear()
            begin = max(opens, at)
            taken = min(left, closes - begin)
            at, left = begin + taken, left - taken
            lines.append(_interval_line(calendar, today, begin, at, taken))
            if not left:
                break
        day += _A_DAY
    return finished(calendar, at, span, lines, seen, midnight_is_end=minutes > 0)


def _interval_line(calendar: Calendar, day: Day, begin: datetime, end: datetime, taken: timedelta) -> Line:
    opens = said_locally(calendar, begin, midnight_is_end=False)[11:]
    closes = said_locally(calendar, end, midnight_is_end=True)[11:]
    minutes = f"{taken / timedelta(minutes=1):g}"
    return Line(
        kind="counted",
        first=day.day,
        last=day.day,
        zh=f"{short(day.day)} {opens}–{closes}：{minutes} 分钟",
        en=f"{short(day.day)} {opens}–{closes}: {minutes} min",
    )


def business_time_between(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """Business time from `start` to `end`, exact; negative when `end` is the earlier one."""
    if end < start:
        return -business_time_between(calendar, end, start)
    total, day, last = timedelta(), calendar.local_day(start), calendar.local_day(end)
    while day <= last:
        for opens, closes, _ in calendar.day(day).intervals:
            total += max(min(closes, end) - max(opens, start), timedelta())
        day += _A_DAY
    return total


def business_minutes_between(calendar: Calendar, start: datetime, end: datetime) -> int:
    """Whole business minutes from `start` to `end` (≥ `start`), begun ones not counted."""
    return business_time_between(calendar, start, end) // timedelta(minutes=1)


def add_wall_clock(calendar: Calendar, start: datetime, span: Span) -> Due:
    """Minutes and hours run day and night, weekends too (S0-38: minutes of a meeting two hours after its end)."""
    length = timedelta(hours=span.amount) if span.unit == "hours" else timedelta(minutes=span.amount)
    calendar.local_day(start)
    lines = [start_line(calendar, start, span, day_counted=True)]
    return finished(calendar, start.astimezone(UTC) + length, span, lines, (), midnight_is_end=False)


def add_working_days(calendar: Calendar, start: datetime | date, days: int, day_end: DayEnd = "midnight") -> Due:
    """The end of the so-many-th working day after the day of `start`; zero is that day, or the next one worked."""
    span = Span(amount=days, unit="working_days")
    day = calendar.local_day(start) if isinstance(start, datetime) else start
    lines = [start_line(calendar, start, span, day_counted=False)]
    seen: list[Day] = []
    idle: list[Day] = []
    counted = 0
    while counted < days:
        day += _A_DAY
        today = calendar.day(day)
        seen.append(today)
        if not today.worked:
            idle.append(today)
            continue
        counted += 1
        lines += [*skipped_lines(idle), _day_line(today, counted)]
        idle.clear()
    return _ending(calendar, day, span, lines, seen, day_end)


def _day_line(day: Day, number: int) -> Line:
    return Line(
        kind="counted",
        first=day.day,
        last=day.day,
        zh=f"第 {number} 个工作日 {short(day.day)}（{day.why.zh}）",
        en=f"working day {number}: {short(day.day)} ({day.why.en})",
    )


def add_calendar_time(calendar: Calendar, start: datetime | date, span: Span, day_end: DayEnd = "midnight") -> Due:
    """Days, months or years after the day of `start`; a last day off gives way to the next day worked."""
    first = calendar.local_day(start) if isinstance(start, datetime) else start
    last = first + timedelta(days=span.amount) if span.unit == "calendar_days" else months_later(first, span.months)
    unit = UNITS[span.unit]
    lines = [
        start_line(calendar, start, span, day_counted=False),
        Line(
            kind="counted",
            first=first,
            last=last,
            zh=f"第 {span.amount} {unit.zh}的末日为 {last}",
            en=f"the last day of {span.amount} {unit.en} is {last}",
        ),
    ]
    return _ending(calendar, last, span, lines, [], day_end)


def months_later(day: date, months: int) -> date:
    """The same day so many months later, or else that month's last (Civil Code 202); it may be a day off."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, months_of.monthrange(year, month + 1)[1]))


def _ending(calendar: Calendar, last: date, span: Span, lines: list[Line], seen: list[Day], day_end: DayEnd) -> Due:
    """Civil Code 203: roll a last day off to the next day worked, and end it at 24:00 or with its last hour."""
    idle: list[Day] = []
    while not (today := calendar.day(last)).worked:
        idle.append(today)
        last += _A_DAY
    if idle:
        lines += [
            *skipped_lines(idle),
            Line(
                kind="rolled",
                first=idle[0].day,
                last=last,
                zh=f"末日 {short(idle[0].day)} 休息，顺延至 {short(last)}",
                en=f"the last day {short(idle[0].day)} is off: it gives way to {short(last)}",
            ),
        ]
    closes = today.intervals[-1].closes if day_end == "close" and today.intervals else calendar.end_of(last)
    lines[-1] = lines[-1].model_copy(update={"last": last})
    return finished(calendar, closes, span, lines, [*seen, *idle, today], midnight_is_end=True)
