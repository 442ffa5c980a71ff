"""Deadlines of 2026 with known answers, by the calendar the State Council announced on 2025-11-04."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from shared.policy.calendar.business import Calendar
from shared.policy.calendar.reckoning import (
    add_business_minutes,
    business_minutes_between,
    deadline,
)
from shared.policy.declared import Span, SpanUnit
from shared.policy.policies import Policies
from shared.policy.shelf import read_policies

SHANGHAI = ZoneInfo("Asia/Shanghai")
TODAY = date(2026, 11, 23)


@pytest.fixture(scope="module")
def policies() -> Policies:
    return read_policies(["s0-enterprise", "s4-engineering", "s1s2s3-general"])


@pytest.fixture(scope="module")
def calendar(policies: Policies) -> Calendar:
    return policies.calendar(TODAY)


def at(text: str) -> datetime:
    """A local moment of 2026, such as 11-20 16:30."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("start", "minutes", "due"),
    [
        ("11-20 16:30", 240, "11-23 11:30"),
        ("11-20 12:15", 60, "11-20 14:30"),
        ("09-30 17:00", 120, "10-08 10:00"),
        ("10-09 17:30", 60, "10-10 09:30"),
        ("11-21 10:00", 30, "11-23 09:30"),
        ("11-20 12:00", 60, "11-20 14:30"),  # the morning is over: nothing of it is counted
        ("11-20 16:30", 90, "11-20 18:00"),  # what ends with the day is due then, not the next morning
    ],
)
def test_business_minutes(calendar: Calendar, start: str, minutes: int, due: str) -> None:
    found = add_business_minutes(calendar, at(start), minutes)
    assert found.at == at(due)
    assert found.local == f"2026-{due}"
    assert business_minutes_between(calendar, at(start), at(due)) == minutes
    assert ": 0 min" not in found.explained()


@pytest.mark.parametrize(
    ("row", "key", "start", "due"),
    [
        pytest.param("S0-26", "report.survey.within", at("09-28 15:00"), "2026-10-08 24:00", id="survey closed"),
        pytest.param("S0-42", "crisis.statement.within", at("02-12 20:00"), "2026-02-24 24:00", id="emergency"),
        pytest.param("S0-39", "report.quarter.within", date(2026, 9, 30), "2026-10-10 24:00", id="third quarter"),
        pytest.param("S0-39", "report.quarter.within", date(2026, 12, 31), "2027-01-11 24:00", id="fourth quarter"),
        pytest.param("S0-31", "purchase.within", at("10-09 10:00"), "2026-10-13 24:00", id="purchase"),
        pytest.param("S0-38", "meeting.minutes.within", at("11-21 17:00"), "2026-11-21 19:00", id="minutes, Saturday"),
        pytest.param("S0-46", "meeting.decisions.within", at("11-20 17:00"), "2026-11-21 17:00", id="decisions"),
    ],
)
def test_deadlines_of_the_packs(
    policies: Policies, calendar: Calendar, row: str, key: str, start: datetime | date, due: str
) -> None:
    span, version = policies.span(key, TODAY)
    found = deadline(calendar, start, span, policies.day_end(TODAY))
    assert found.local == due
    assert found.calendar_version == calendar.version
    assert version.startswith("s0-enterprise/S0/1@")
    assert row in policies.value(key, TODAY).setting.clauses


@pytest.mark.policy("S0-31")
def test_a_purchase_counts_the_worked_saturday_and_says_so(calendar: Calendar) -> None:
    found = deadline(calendar, at("10-09 10:00"), Span(amount=3, unit="working_days"))
    assert found.at == datetime(2026, 10, 13, 16, tzinfo=UTC)
    assert found.explained().splitlines() == [
        "3 working days from 2026-10-09 10:00 (the first day is not counted)",
        "working day 1: 10-10 (make-up workday for National Day)",
        "skipped 10-11 (weekend)",
        "working day 2: 10-12 (working day)",
        "working day 3: 10-13 (working day)",
        "due 2026-10-13 24:00",
    ]
    assert found.explained("zh").splitlines() == [
        "自 2026-10-09 10:00 起 3 个工作日（起始日不计）",
        "第 1 个工作日 10-10（国庆节调休上班）",
        "跳过 10-11（周末）",
        "第 2 个工作日 10-12（工作日）",
        "第 3 个工作日 10-13（工作日）",
        "截止 2026-10-13 24:00",
    ]


@pytest.mark.policy("S0-26")
def test_a_last_day_off_gives_way_and_says_so(calendar: Calendar) -> None:
    found = deadline(calendar, at("09-28 15:00"), Span(amount=5, unit="calendar_days"))
    assert found.explained().splitlines()[1:] == [
        "the last day of 5 calendar days is 2026-10-03",
        "skipped 10-03…10-07 (National Day)",
        "the last day 10-03 is off: it gives way to 10-08",
        "due 2026-10-08 24:00",
    ]


def test_business_minutes_say_what_was_counted_and_what_was_skipped(calendar: Calendar) -> None:
    found = add_business_minutes(calendar, at("09-30 17:00"), 120)
    assert found.explained().splitlines() == [
        "120 business minutes from 2026-09-30 17:00",
        "09-30 17:00–18:00: 60 min",
        "skipped 10-01…10-07 (National Day)",
        "10-08 09:00–10:00: 60 min",
        "due 2026-10-08 10:00",
    ]
    assert "跳过 10-01…10-07（国庆节）" in found.explained("zh")


@pytest.mark.policy("S0-39")
def test_a_year_not_announced_yet_is_counted_by_the_pack_and_says_so(calendar: Calendar) -> None:
    found = deadline(calendar, date(2026, 12, 31), Span(amount=10, unit="calendar_days"))
    assert "the arrangement of 2027 is not announced yet: counted by what the pack declares" in found.explained()


@pytest.mark.parametrize(
    ("unit", "amount", "start", "due"),
    [
        ("months", 1, date(2026, 1, 31), "2026-02-28 24:00"),  # no 31st: the month's last day, a worked Saturday
        ("months", 6, date(2026, 1, 1), "2026-07-01 24:00"),
        ("years", 1, date(2025, 9, 26), "2026-09-28 24:00"),  # a Saturday of the Mid-autumn days off
        ("minutes", 90, at("11-20 23:30"), "2026-11-21 01:00"),
        ("hours", 0, at("11-20 23:30"), "2026-11-20 23:30"),
        ("calendar_days", 0, at("11-21 10:00"), "2026-11-23 24:00"),
        ("working_days", 0, at("11-20 10:00"), "2026-11-20 24:00"),
    ],
)
def test_other_spans(calendar: Calendar, unit: SpanUnit, amount: int, start: datetime | date, due: str) -> None:
    assert deadline(calendar, start, Span(amount=amount, unit=unit)).local == due


def test_a_day_may_end_with_business(calendar: Calendar) -> None:
    found = deadline(calendar, at("10-09 10:00"), Span(amount=3, unit="working_days"), day_end="close")
    assert found.local == "2026-10-13 18:00"


def test_what_needs_an_instant_refuses_a_day_and_a_time_without_offset(calendar: Calendar) -> None:
    with pytest.raises(ValueError, match="from an instant"):
        deadline(calendar, date(2026, 1, 1), Span(amount=1, unit="hours"))
    with pytest.raises(ValueError, match="without offset"):
        deadline(calendar, datetime(2026, 1, 1), Span(amount=1, unit="hours"))  # noqa: DTZ001 - the point of the test
