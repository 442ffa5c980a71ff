"""What a metric is: how it is read from cells, how from facts, and the formula over both."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeAlias

from shared.plumbing.projection import Entry, Fact, Family, days_after

Tally: TypeAlias = dict[str, int]
"""Counted sums that the formula is applied to; additive over facts and shards."""
Range: TypeAlias = tuple[str, str]
"""Days from the first (included) to the second (excluded)."""

FIRST_DAY, LAST_DAY = "0000-00-00", "9999-99-99"
"""Before and after every day."""


@dataclass(frozen=True)
class Window:
    """A period of local days, half-open; None leaves a side open."""

    start: str | None = None
    end: str | None = None

    @property
    def range(self) -> Range:
        return self.start or FIRST_DAY, self.end or LAST_DAY

    @property
    def month_aligned(self) -> bool:
        """Whether it begins and ends with a month (or is open there)."""
        return all(day is None or day.endswith("-01") for day in (self.start, self.end))

    @property
    def standard(self) -> str | None:
        """`month`, `quarter` or `year` where it is exactly one of these."""
        if self.start is None or self.end is None:
            return None
        for kind in STANDARD_PERIODS:
            if period_around(kind, self.start) == (self.start, self.end):
                return kind
        return None

    def holds(self, day: str) -> bool:
        start, end = self.range
        return start <= day < end


STANDARD_PERIODS = {"month": 1, "quarter": 3, "year": 12}


def period_around(kind: str, day: str) -> Range:
    """The standard period that a day lies in."""
    months = STANDARD_PERIODS[kind]
    then = date.fromisoformat(day)
    first = (then.month - 1) // months * months + 1
    following = first + months
    end = date(then.year + (following - 1) // 12, (following - 1) % 12 + 1, 1)
    return date(then.year, first, 1).isoformat(), end.isoformat()


def only(day: str) -> Range:
    return day, days_after(day, 1)


@dataclass
class Answer:
    """One number. `value` None has a `reason`; `more` are the metric's own figures."""

    value: float | None
    n: int
    count: int | None = None
    interval: tuple[float, float] | None = None
    reason: str | None = None
    more: dict[str, Any] = field(default_factory=dict)


NOTHING = "there is nothing to count in this period"
"""Reason of an empty denominator (METRICS, general rule c)."""

Narrowing: TypeAlias = Mapping[str, str]
"""Filters that the names of sums answer, such as `scale` (see Metric.named)."""


@dataclass(frozen=True)
class Metric:
    """One number that can be asked for."""

    name: str
    en: str
    zh: str
    unit: str
    clause: str
    """Id in METRICS."""
    formula: str
    projection: str
    family: Family
    weigh: Callable[[Sequence[Entry], Fact, Window], Tally]
    """Tally of one part of a fact in a window; empty when it is not behind the number."""
    answer: Callable[[Tally, Narrowing], Answer]
    ranges: Callable[[Window], Mapping[str, Range] | None] = field(default=lambda window: {"in": window.range})
    """Days to sum in cells, by a word of the metric's own; None where cells cannot tell."""
    gather: Callable[[Mapping[str, Tally], Window], Tally] = field(default=lambda sums, window: sums["in"])
    """Tally of those sums."""
    refuse: Callable[[Window], str | None] = field(default=lambda window: None)
    """Why there is no answer for such a window."""
    named: frozenset[str] = frozenset()
    """Filters answered by the names of sums instead of a cut."""


def weigh_points(family: Family, wanted: Callable[[str], bool]) -> Callable[[Sequence[Entry], Fact, Window], Tally]:
    """The plain way to weigh: the family's own points, as far as they lie in the window and are wanted."""

    def weigh(part: Sequence[Entry], whole: Fact, window: Window) -> Tally:
        start, end = window.range
        tally: Tally = {}
        for name, bucket, amount in family.points(part, whole):
            if wanted(name) and start <= bucket < end:
                tally[name] = tally.get(name, 0) + amount
        return tally

    return weigh
