"""A company's calendar as a pack declares it: zone, hours, and what differs from the official arrangement."""

import itertools
import re
from datetime import date, time, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from shared.policy.declared import Declared, Sentence

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Interval = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$")]
"""Opening and closing on one day, such as `09:00-12:00`; `24:00` is the day's end."""
Intervals = Annotated[tuple[Interval, ...], Field(min_length=1)]


def opening(interval: str) -> time:
    """When the interval opens."""
    return time.fromisoformat(interval.split("-")[0])


def closing(interval: str) -> time | None:
    """When the interval closes; None is 24:00."""
    end = interval.split("-")[1]
    return None if end == "24:00" else time.fromisoformat(end)


def _in_order(intervals: tuple[str, ...]) -> tuple[str, ...]:
    edges = [edge for interval in intervals for edge in re.split("-", interval)]
    if any(later <= earlier for earlier, later in itertools.pairwise(edges)):
        raise ValueError("intervals of a day follow one another and do not touch; join those that do")
    return intervals


class Days(Declared):
    """One day, or all days from `first` to `last`, with the reason a deadline shows."""

    first: date
    last: date | None = None
    zh: Sentence
    en: Sentence

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.last is not None and self.last < self.first:
            raise ValueError("last is before first")
        if self.last is not None and (self.last - self.first).days > 366:
            raise ValueError("more than a year of days: is the year right?")
        return self

    def every(self) -> list[date]:
        """Each day of the spell."""
        length = ((self.last or self.first) - self.first).days + 1
        return [self.first + timedelta(days=offset) for offset in range(length)]


class SpecialHours(Declared):
    """A working day with hours of its own, such as New Year's Eve until noon."""

    day: date
    hours: Intervals
    zh: Sentence
    en: Sentence

    _hours_in_order = field_validator("hours")(_in_order)


class DeclaredYear(Declared):
    """A year that the official calendar does not hold yet. `provisional` gives way to it as soon as it does."""

    year: Annotated[int, Field(ge=1970, le=9998)]
    provisional: bool
    source: Sentence
    closed: tuple[Days, ...]
    worked: tuple[Days, ...]

    @model_validator(mode="after")
    def _own_days(self) -> Self:
        for days in (*self.closed, *self.worked):
            if {days.first.year, (days.last or days.first).year} != {self.year}:
                raise ValueError(f"{days.first} is not a day of {self.year}")
        return self


class CompanyCalendar(Declared):
    """Company days go before official ones, official ones before the working week."""

    zone: str
    official: Literal["china", "none"] = "china"
    working_week: Annotated[tuple[Weekday, ...], Field(min_length=1)] = WEEKDAYS[:5]
    hours: Intervals
    weekday_hours: dict[Weekday, Intervals] = {}
    closed: tuple[Days, ...] = ()
    worked: tuple[Days, ...] = ()
    special_hours: tuple[SpecialHours, ...] = ()
    years: tuple[DeclaredYear, ...] = ()

    _hours_in_order = field_validator("hours")(_in_order)

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{zone!r} is not an IANA time zone such as Asia/Shanghai") from error
        return zone

    @field_validator("weekday_hours")
    @classmethod
    def _each_in_order(cls, week: dict[Weekday, tuple[str, ...]]) -> dict[Weekday, tuple[str, ...]]:
        for hours in week.values():
            _in_order(hours)
        return week

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        if len({one.year for one in self.years}) != len(self.years):
            raise ValueError("a year is declared twice")
        arranged = [(self.closed, self.worked), *((one.closed, one.worked) for one in self.years)]
        for closed, worked in arranged:
            if {day for spell in closed for day in spell.every()} & {day for spell in worked for day in spell.every()}:
                raise ValueError("a day is both closed and worked")
        return self
