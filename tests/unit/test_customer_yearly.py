"""Days that come back every year: holidays of the lunar calendar, leap months, and days that a year does not have."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.customer.model.yearly import HOLIDAYS, YearlyDay, kept_on
from shared.policy.calendar.official import CHINA


def lunar(month: int, day: int, leap: bool = False) -> YearlyDay:
    return YearlyDay(calendar="lunar", month=month, day=day, leap=leap)


@pytest.mark.policy("S1-19")
@pytest.mark.parametrize(
    ("holiday", "day"),
    [
        ("spring_festival", date(2024, 2, 10)),
        ("spring_festival", date(2025, 1, 29)),
        ("spring_festival", date(2026, 2, 17)),
        ("spring_festival", date(2027, 2, 6)),
        ("spring_festival", date(2034, 2, 19)),
        ("dragon_boat", date(2026, 6, 19)),
        ("mid_autumn", date(2026, 9, 25)),
        ("double_ninth", date(2026, 10, 18)),
        ("lantern_festival", date(2026, 3, 3)),
        ("new_year", date(2027, 1, 1)),
    ],
)
def test_holidays_fall_where_the_hong_kong_observatory_has_them(holiday: str, day: date) -> None:
    assert HOLIDAYS[holiday].following(day - timedelta(days=300)) == day


@pytest.mark.policy("S1-19")
@pytest.mark.parametrize("name", ["spring_festival", "mid_autumn", "dragon_boat", "national_day", "labour_day"])
def test_nobody_works_on_a_holiday_in_any_announced_year(name: str) -> None:
    """The lunar library and the official arrangement are two sources; they agree on every announced year."""
    for year in range(2008, CHINA.last_year() + 1):
        day = HOLIDAYS[name].following(date(year, 1, 15))
        assert day in CHINA.off or day.weekday() >= 5, (name, day)
        assert day not in CHINA.worked, (name, day)


@pytest.mark.parametrize(
    ("named", "first", "kept"),
    [
        (lunar(6, 1, leap=True), date(2025, 7, 1), date(2025, 7, 25)),
        (lunar(6, 1), date(2025, 6, 1), date(2025, 6, 25)),
        (lunar(6, 1, leap=True), date(2026, 6, 1), date(2026, 7, 14)),
        (lunar(2, 1, leap=True), date(2023, 3, 1), date(2023, 3, 22)),
        (lunar(2, 1), date(2023, 2, 1), date(2023, 2, 20)),
        (lunar(11, 1, leap=True), date(2033, 12, 1), date(2033, 12, 22)),
        (lunar(12, 30), date(2025, 1, 1), date(2025, 1, 28)),
        (lunar(12, 30), date(2026, 2, 1), date(2026, 2, 16)),
        (YearlyDay(month=2, day=29), date(2027, 1, 1), date(2027, 2, 28)),
        (YearlyDay(month=2, day=29), date(2028, 1, 1), date(2028, 2, 29)),
    ],
)
def test_leap_months_and_missing_days(named: YearlyDay, first: date, kept: date) -> None:
    assert named.following(first) == kept


def test_in_a_year_with_the_leap_month_the_ordinary_day_is_kept_once() -> None:
    days = [date(2025, 6, 1) + timedelta(days=ahead) for ahead in range(90)]
    assert [day for day in days if lunar(6, 1).name in kept_on(day)] == [date(2025, 6, 25)]
    assert [day for day in days if lunar(6, 1, leap=True).name in kept_on(day)] == [date(2025, 7, 25)]


@given(
    st.one_of(
        st.builds(lunar, st.integers(1, 12), st.integers(1, 30), st.booleans()),
        st.dates(date(2024, 1, 1), date(2024, 12, 31)).map(lambda day: YearlyDay(month=day.month, day=day.day)),
    ),
    st.dates(date(1902, 1, 1), date(2086, 12, 31)),
)
def test_every_yearly_day_comes_once_a_year_for_ever(named: YearlyDay, first: date) -> None:
    one = named.following(first)
    assert first <= one
    other = named.following(one + timedelta(days=1))
    assert 300 < (other - one).days <= 385
    assert YearlyDay.named(named.name) == named


def test_a_day_that_no_year_has_is_refused() -> None:
    for wrong in ({"month": 2, "day": 30}, {"calendar": "lunar", "month": 1, "day": 31}, {"month": 4, "day": 31}):
        with pytest.raises(ValidationError):
            YearlyDay.model_validate(wrong)
    with pytest.raises(ValidationError, match="leap"):
        YearlyDay(month=4, day=1, leap=True)
