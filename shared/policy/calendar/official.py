"""China's official days off and make-up workdays, as the State Council announced them, year by year.

They come from the `chinesecalendar` package, which knows announced years alone and invents none. Source: yearly notices
of the General Office of the State Council (国务院办公厅关于部分节假日安排的通知), 2026: of 2025-11-04.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import chinese_calendar
from chinese_calendar.constants import Holiday, holidays, workdays


class Named(NamedTuple):
    """A reason in both languages."""

    zh: str
    en: str


@dataclass(frozen=True)
class OfficialYears:
    """The announced years: days off (weekends between them included) and the weekend days worked instead."""

    edition: str
    off: Mapping[date, Named]
    worked: Mapping[date, Named]

    def knows(self, year: int) -> bool:
        """Whether the arrangement of this year has been announced."""
        return any(day.year == year for day in self.off)

    def last_year(self) -> int:
        """The last year announced."""
        return max(day.year for day in self.off)


def _named(days: Mapping[date, str]) -> dict[date, Named]:
    return {day: Named(str(Holiday(name).chinese), name) for day, name in days.items()}


CHINA = OfficialYears(f"cn-{chinese_calendar.__version__}", _named(holidays), _named(workdays))
"""What the installed package knows."""
