"""What a company changes of the official calendar, what it may not say, and what an edit moves."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from shared.policy.approvals import asking
from shared.policy.approvals.approval import evolve
from shared.policy.approvals.chain import Route
from shared.policy.approvals.moves import Request
from shared.policy.approvals.rescheduling import reschedule
from shared.policy.calendar.business import Calendar, CalendarYearUnknown
from shared.policy.calendar.company import CompanyCalendar
from shared.policy.calendar.reckoning import add_business_minutes, add_working_days, business_minutes_between
from shared.policy.declared import Span

NAMED = {"zh": "公司安排", "en": "company day"}


def calendar(**more: Any) -> Calendar:
    company = {"zone": "Asia/Shanghai", "hours": ["09:00-12:00", "13:30-18:00"], **more}
    return Calendar(CompanyCalendar.model_validate(company), "calendar.company in shared/policy/packs/x.yaml")


def test_company_days_go_before_official_ones() -> None:
    changed = calendar(
        closed=[{"first": "2026-10-10", **NAMED}],
        worked=[{"first": "2026-10-07", **NAMED}],
        special_hours=[{"day": "2026-12-31", "hours": ["09:00-12:00"], **NAMED}],
    )
    assert [changed.day(date(2026, 10, day)).worked for day in (7, 10)] == [True, False]
    assert [calendar().day(date(2026, 10, day)).worked for day in (7, 10)] == [False, True]
    assert len(changed.day(date(2026, 12, 31)).intervals) == 1


def test_hours_by_weekday_and_on_make_up_days() -> None:
    short = calendar(weekday_hours={"fri": ["09:00-12:00"]})
    assert len(short.day(date(2026, 11, 20)).intervals) == 1
    assert len(short.day(date(2026, 10, 10)).intervals) == 2


def test_an_unknown_year_is_refused_with_the_place_to_declare_it() -> None:
    with pytest.raises(CalendarYearUnknown) as refusal:
        add_working_days(calendar(), date(2030, 1, 1), 1)
    assert "2030" in str(refusal.value)
    assert "`years` of calendar.company in shared/policy/packs/x.yaml" in str(refusal.value)


def test_a_declared_year_serves_until_it_is_announced() -> None:
    days = {"closed": [{"first": "2026-01-05", **NAMED}], "worked": [], "source": "notice"}
    provisional = calendar(years=[{"year": 2026, "provisional": True, **days}])
    final = calendar(years=[{"year": 2026, "provisional": False, **days}])
    assert provisional.day(date(2026, 1, 5)).worked
    assert not final.day(date(2026, 1, 5)).worked


def test_without_official_days_the_week_decides_in_any_year() -> None:
    week = calendar(official="none")
    assert week.day(date(2044, 10, 3)).worked
    assert not week.day(date(2044, 10, 1)).worked


def test_clocks_that_are_put_forward_take_an_hour_away() -> None:
    berlin = calendar(zone="Europe/Berlin", official="none", hours=["00:00-24:00"], working_week=["sun"])
    begin, end = datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 3, 30, tzinfo=UTC)
    assert business_minutes_between(berlin, begin, end) == 23 * 60
    assert add_business_minutes(berlin, begin, 23 * 60).local == "2026-03-29 24:00"


@pytest.mark.parametrize(
    "wrong",
    [
        {"zone": "Asia/Peking"},
        {"hours": []},
        {"hours": ["12:00-09:00"]},
        {"hours": ["09:00-12:00", "11:00-18:00"]},
        {"hours": ["9-12"]},
        {"working_week": []},
        {"weekday_hours": {"fri": ["13:00-12:00"]}},
        {"closed": [{"first": "2026-10-10", "last": "2026-10-09", **NAMED}]},
        {"closed": [{"first": "2026-10-10", "last": "2062-10-11", **NAMED}]},
        {"closed": [{"first": "2026-10-10"}]},
        {"closed": [{"first": "2026-10-10", **NAMED}], "worked": [{"first": "2026-10-10", **NAMED}]},
        {"years": [{"year": 2027, "provisional": True, "source": "x", "closed": [], "worked": []}] * 2},
        {"years": [{"year": 2027, "provisional": True, "source": "x", "worked": [],
                    "closed": [{"first": "2026-01-01", **NAMED}]}]},
    ],
)  # fmt: skip
def test_an_unsound_calendar_is_refused_at_load(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        calendar(**wrong)


def test_every_edit_is_another_version_and_the_same_content_the_same() -> None:
    assert calendar().version == calendar().version
    assert calendar().version.startswith("cn-")
    assert calendar().version != calendar(closed=[{"first": "2026-10-10", **NAMED}]).version


@pytest.mark.policy("S0-31")
def test_an_edit_moves_open_deadlines_only() -> None:
    before, after = calendar(), calendar(closed=[{"first": "2026-10-12", **NAMED}])
    now = datetime(2026, 10, 9, 2, tzinfo=UTC)
    route = Route(steps=("ceo",), versions=("t@1",), within=Span(amount=3, unit="working_days"), on_expiry="lapse")
    (sent,) = asking.submit(None, Request(approval_id="p", kind="purchase", requester="wang"), route, before, now)
    state = evolve(None, sent.move)
    (one,) = reschedule(state, after, now)
    assert sent.due is not None
    assert one.due is not None
    assert (sent.due.local, one.due.local) == ("2026-10-13 24:00", "2026-10-14 24:00")
    assert "skipped 10-11 (weekend)" in sent.due.explained()
    assert "skipped 10-12 (company day)" in one.due.explained()
    moved = evolve(state, one.move)
    assert (moved.due_at, moved.alarm_at, moved.calendar_version) == (one.due.at, one.due.at, after.version)
    assert reschedule(moved, after, now) == [], "counted by it already"
    assert state.due_at is not None
    assert reschedule(state, after, state.due_at) == [], "overdue"
    assert reschedule(state.model_copy(update={"status": "approved"}), after, now) == []
