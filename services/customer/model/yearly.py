"""Days that come back every year, by the solar or the Chinese lunar calendar (S1-19).

Lunar dates come from `borax` (years 1900 to 2100). A day that a year does not have is kept on the nearest one before:
29 February on the 28th, the 30th of a short month on the 29th; a day of a leap month on the same day of the ordinary
month in years without that leap month. In a year that has it, a day of the ordinary month is kept in that one alone.
"""

from datetime import date, timedelta
from functools import lru_cache
from typing import Literal, Self

from borax.calendars.lunardate import LCalendars, LunarDate
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
SEARCHED = 400
"""Days within which each yearly day comes: a lunar year has at most 385."""


class YearlyDay(BaseModel):
    """A day of the year; `leap` for one in a lunar leap month."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )
    calendar: Literal["solar", "lunar"] = "solar"
    month: int = Field(ge=1, le=12)
    day: int = Field(ge=1, le=31)
    leap: bool = False

    @model_validator(mode="after")
    def _exists(self) -> Self:
        if self.day > (30 if self.calendar == "lunar" else LONGEST[self.month - 1]):
            raise ValueError(f"month {self.month} of the {self.calendar} calendar never has {self.day} days")
        if self.leap and self.calendar == "solar":
            raise ValueError("only the lunar calendar has leap months")
        return self

    @property
    def name(self) -> str:
        """How it is written down: solar:05-17, lunar:08-15, lunar:+06-01 in a leap month."""
        return f"{self.calendar}:{'+' if self.leap else ''}{self.month:02}-{self.day:02}"

    @classmethod
    def named(cls, name: str) -> Self:
        """The day of a name."""
        calendar, _, day = name.partition(":")
        month, _, number = day.removeprefix("+").partition("-")
        fields = {"calendar": calendar, "month": int(month), "day": int(number), "leap": day.startswith("+")}
        return cls.model_validate(fields)

    def following(self, first: date) -> date:
        """The first day from `first` on, it included, on which it is kept."""
        days = (first + timedelta(days=ahead) for ahead in range(SEARCHED))
        return next(day for day in days if self.name in kept_on(day))


@lru_cache(maxsize=4_000)
def kept_on(day: date) -> frozenset[str]:
    """The names of all yearly days that are kept on this day. Raises ValueError outside the years 1901 to 2099."""
    if not 1901 <= day.year <= 2099:
        raise ValueError(f"the lunar calendar is known from 1901 to 2099, not in {day.year}")
    names = {f"solar:{day:%m-%d}"}
    if (day.month, day.day) == (2, 28) and (day + timedelta(days=1)).month == 3:
        names.add("solar:02-29")
    lunar = LunarDate.from_solar_date(day.year, day.month, day.day)
    numbers = [lunar.day]
    if lunar.day == 29 == LCalendars.ndays(lunar.year, lunar.month, lunar.leap):
        numbers.append(30)
    leaps = [True] if lunar.leap else [False]
    if not lunar.leap and LCalendars.leap_month(lunar.year) != lunar.month:
        leaps.append(True)
    names |= {f"lunar:{'+' if leap else ''}{lunar.month:02}-{number:02}" for leap in leaps for number in numbers}
    return frozenset(names)


HOLIDAYS = {
    "new_year": YearlyDay(month=1, day=1),
    "spring_festival": YearlyDay(calendar="lunar", month=1, day=1),
    "lantern_festival": YearlyDay(calendar="lunar", month=1, day=15),
    "labour_day": YearlyDay(month=5, day=1),
    "dragon_boat": YearlyDay(calendar="lunar", month=5, day=5),
    "mid_autumn": YearlyDay(calendar="lunar", month=8, day=15),
    "double_ninth": YearlyDay(calendar="lunar", month=9, day=9),
    "national_day": YearlyDay(month=10, day=1),
}
"""Occasion that everybody has on the same day → that day; any other occasion of `care.occasions` is personal."""
