"""The calendar in force: official years, what the company changed, and whether a day is worked and when."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from shared.contracts.decision import Refusal
from shared.policy.calendar.company import WEEKDAYS, CompanyCalendar, Days, closing, opening
from shared.policy.calendar.official import CHINA, Named, OfficialYears

WEEKEND = Named("周末", "weekend")
WORKING = Named("工作日", "working day")


class CalendarYearUnknown(Refusal):
    """Nobody has announced the days off of this year, and the pack does not declare them."""

    SLUG = "calendar-year-unknown"


class Hours(NamedTuple):
    """One interval of work: instants in UTC, half-open, and as the pack writes it."""

    opens: datetime
    closes: datetime
    text: str


class Day(NamedTuple):
    """One local day: why it is worked or not, and its intervals (none when it is not worked)."""

    day: date
    worked: bool
    why: Named
    intervals: tuple[Hours, ...]
    provisional: bool


class Calendar:
    """Business time of one company in one version of its calendar; immutable.

    `declared_in` names the place of the pack that declares it, for the sentence of a refusal. `version` changes
    with every edit of the pack and with every edition of the official data.
    """

    def __init__(
        self, company: CompanyCalendar, declared_in: str = "calendar.company", official: OfficialYears = CHINA
    ) -> None:
        self.company = company
        self.zone = ZoneInfo(company.zone)
        self._declared_in = declared_in
        self._official = official if company.official == "china" else None
        digest = hashlib.sha256(company.model_dump_json(exclude_defaults=True).encode()).hexdigest()[:8]
        self.version = f"{self._official.edition if self._official else 'week'}+{digest}"
        self._closed = _by_day(company.closed)
        self._worked = _by_day(company.worked)
        self._special = {one.day: one for one in company.special_hours}
        self._years = {one.year: one for one in company.years}
        self._off_in: dict[int, tuple[Mapping[date, Named], Mapping[date, Named], bool]] = {}
        self._days: dict[date, Day] = {}

    def local_day(self, moment: datetime) -> date:
        """The company's day in which an instant lies. Raises ValueError for a time without offset."""
        if moment.tzinfo is None:
            raise ValueError("a time without offset says no instant")
        return moment.astimezone(self.zone).date()

    def end_of(self, day: date) -> datetime:
        """24:00 of a local day, as an instant in UTC."""
        return datetime.combine(day + timedelta(days=1), time.min, self.zone).astimezone(UTC)

    def day(self, day: date) -> Day:
        """What this day is. Raises CalendarYearUnknown for a year that is neither announced nor declared."""
        if day not in self._days:
            worked, why, provisional = self._classified(day)
            self._days[day] = Day(day, worked, why, self._intervals(day) if worked else (), provisional)
        return self._days[day]

    def _classified(self, day: date) -> tuple[bool, Named, bool]:
        off, instead, provisional = self._year(day.year)
        special = self._special.get(day)
        if special is not None:
            return True, Named(special.zh, special.en), provisional
        if day in self._closed:
            return False, self._closed[day], provisional
        if day in self._worked:
            return True, self._worked[day], provisional
        if day in instead:
            name = instead[day]
            return True, Named(f"{name.zh}调休上班", f"make-up workday for {name.en}"), provisional
        if day in off:
            return False, off[day], provisional
        worked = WEEKDAYS[day.weekday()] in self.company.working_week
        return worked, WORKING if worked else WEEKEND, provisional

    def _year(self, year: int) -> tuple[Mapping[date, Named], Mapping[date, Named], bool]:
        if year not in self._off_in:
            self._off_in[year] = self._arranged(year)
        return self._off_in[year]

    def _arranged(self, year: int) -> tuple[Mapping[date, Named], Mapping[date, Named], bool]:
        declared, official = self._years.get(year), self._official
        if declared is not None and not (declared.provisional and official is not None and official.knows(year)):
            return _by_day(declared.closed), _by_day(declared.worked), declared.provisional
        if official is None:
            return {}, {}, False
        if not official.knows(year):
            raise CalendarYearUnknown(
                f"the official days off of {year} are not known (the installed calendar ends with "
                f"{official.last_year()}): add the year {year} under `years` of {self._declared_in}, "
                f"or install an edition of chinesecalendar that holds it"
            )
        return official.off, official.worked, False

    def _intervals(self, day: date) -> tuple[Hours, ...]:
        special = self._special.get(day)
        usual = self.company.weekday_hours.get(WEEKDAYS[day.weekday()], self.company.hours)
        found = []
        for interval in special.hours if special is not None else usual:
            closes_at = closing(interval)
            opens = datetime.combine(day, opening(interval), self.zone).astimezone(UTC)
            if closes_at is None:
                closes = self.end_of(day)
            else:
                closes = datetime.combine(day, closes_at, self.zone).astimezone(UTC)
            if opens < closes:  # an hour that the clocks skip in spring is nobody's working time
                found.append(Hours(opens, closes, interval.replace("-", "–")))
        return tuple(found)


def _by_day(spells: Iterable[Days]) -> dict[date, Named]:
    return {day: Named(spell.zh, spell.en) for spell in spells for day in spell.every()}
