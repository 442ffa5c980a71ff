"""What holds of business time whatever the company's hours: order, sums, and adding as the inverse of measuring."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.policy.calendar.business import Calendar
from shared.policy.calendar.company import WEEKDAYS, CompanyCalendar
from shared.policy.calendar.official import CHINA
from shared.policy.calendar.reckoning import (
    add_business_minutes,
    add_working_days,
    business_minutes_between,
    business_time_between,
    deadline,
)
from shared.policy.declared import Span

FIRST, LAST = datetime(2005, 1, 1, tzinfo=UTC), datetime(2025, 6, 1, tzinfo=UTC)
ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "UTC")
HOURS: tuple[tuple[str, ...], ...] = (
    ("09:00-12:00", "13:30-18:00"),
    ("00:00-24:00",),
    ("00:00-03:00", "22:30-24:00"),
    ("08:00-09:00", "10:00-11:00", "12:00-12:01"),
)


def company(**more: Any) -> CompanyCalendar:
    return CompanyCalendar.model_validate({"zone": "Asia/Shanghai", "hours": HOURS[0], **more})


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    week = draw(st.lists(st.sampled_from(WEEKDAYS), min_size=1, unique=True))
    closed = draw(st.lists(st.dates(date(2005, 1, 1), date(2026, 12, 1)), max_size=3, unique=True))
    return Calendar(
        company(
            zone=draw(st.sampled_from(ZONES)),
            hours=draw(st.sampled_from(HOURS)),
            working_week=week,
            official=draw(st.sampled_from(("china", "none"))),
            weekday_hours={"fri": draw(st.sampled_from(HOURS))},
            closed=[{"first": day, "zh": "停业", "en": "closed"} for day in closed],
        )
    )


ANY = st.shared(calendars(), key="calendar")
INSTANTS = st.integers(0, int((LAST - FIRST) / timedelta(minutes=1))).map(lambda m: FIRST + timedelta(minutes=m))
AMOUNTS = st.integers(0, 3_000)
LAWS = settings(max_examples=150)


@LAWS
@given(ANY, INSTANTS, AMOUNTS)
def test_measuring_is_the_inverse_of_adding(calendar: Calendar, start: datetime, minutes: int) -> None:
    due = add_business_minutes(calendar, start, minutes).at
    assert due >= start
    assert business_minutes_between(calendar, start, due) == minutes


@LAWS
@given(ANY, INSTANTS, AMOUNTS, AMOUNTS)
def test_minutes_add_up(calendar: Calendar, start: datetime, some: int, more: int) -> None:
    halfway = add_business_minutes(calendar, start, some).at
    assert add_business_minutes(calendar, halfway, more).at == add_business_minutes(calendar, start, some + more).at


@LAWS
@given(ANY, INSTANTS, INSTANTS, AMOUNTS, AMOUNTS)
def test_later_starts_and_more_minutes_are_never_due_earlier(
    calendar: Calendar, one: datetime, other: datetime, some: int, more: int
) -> None:
    early, late = sorted((one, other))
    assert add_business_minutes(calendar, early, some).at <= add_business_minutes(calendar, late, some + more).at


@LAWS
@given(ANY, st.lists(st.integers(0, 200_000), min_size=3, max_size=3), INSTANTS)
def test_time_between_adds_up_and_never_exceeds_the_clock(
    calendar: Calendar, offsets: list[int], start: datetime
) -> None:
    a, b, c = sorted(start - timedelta(seconds=offset) for offset in offsets)
    whole = business_time_between(calendar, a, c)
    assert business_time_between(calendar, a, b) + business_time_between(calendar, b, c) == whole
    assert timedelta() <= whole <= c - a
    assert business_time_between(calendar, c, a) == -whole


@LAWS
@given(ANY, INSTANTS, st.integers(1, 30), st.integers(0, 30))
def test_working_days_end_on_worked_days_and_add_up(calendar: Calendar, start: datetime, some: int, more: int) -> None:
    first = add_working_days(calendar, start, some)
    last_day = first.lines[-1].last
    assert calendar.day(last_day).worked
    assert add_working_days(calendar, last_day, more).at == add_working_days(calendar, start, some + more).at


@LAWS
@given(ANY, INSTANTS, st.integers(0, 60), st.sampled_from(("calendar_days", "months")))
def test_a_last_day_is_always_worked_and_nothing_worked_is_skipped(
    calendar: Calendar, start: datetime, amount: int, unit: str
) -> None:
    span = Span.model_validate({"amount": amount % 3 if unit == "months" else amount, "unit": unit})
    due = deadline(calendar, start, span)
    assert calendar.day(due.lines[-1].last).worked
    for line in due.lines:
        if line.kind == "skipped":
            days = range((line.last - line.first).days + 1)
            assert not any(calendar.day(line.first + timedelta(days=day)).worked for day in days)


@LAWS
@given(ANY, INSTANTS, AMOUNTS)
def test_the_arithmetic_adds_up_to_the_deadline(calendar: Calendar, start: datetime, minutes: int) -> None:
    due = add_business_minutes(calendar, start, minutes)
    said = [line.en.rsplit(": ", 1)[1] for line in due.lines if line.kind == "counted"]
    counted = [int(one.removesuffix(" min")) for one in said]
    assert sum(counted) == minutes
    assert 0 not in counted


@pytest.mark.parametrize("year", [2008, 2015, 2024, 2025, 2026])
def test_every_announced_year_has_make_up_days_at_weekends_and_days_off(year: int) -> None:
    off = [day for day in CHINA.off if day.year == year]
    worked = [day for day in CHINA.worked if day.year == year]
    assert len(off) >= 20
    assert all(day.weekday() >= 5 for day in worked)
    assert not set(off) & set(worked)
