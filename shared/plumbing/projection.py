"""Projections: from events to facts, and from facts to what they add to the numbers (ARCHITECTURE §5).

A fact is a plain mapping (JSON and BSON alike) about one subject. Everything here is pure: no clock, no I/O, no
randomness, so that a replay gives the same facts, whatever else is interleaved.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, TypeAlias
from zoneinfo import ZoneInfo

from shared.contracts.envelope import Event

Fact: TypeAlias = dict[str, Any]
"""What is known about one subject. Maps whose keys are ids are nested mappings, so that an undo patch stays small."""
Dims: TypeAlias = Mapping[str, str]
Entry: TypeAlias = tuple[Dims, Any]
"""A part of a fact that carries dimensions of its own: the whole response, one order of many."""
Point: TypeAlias = tuple[str, str, int]
"""(name, bucket, amount): `amount` is added to `name` on a day (`2026-11-23`) or in a whole month (`2026-11`)."""
Cut: TypeAlias = tuple[str, ...]
"""Names of dimensions in alphabetical order; the empty one is the total."""
Values: TypeAlias = tuple[str, ...]
Own: TypeAlias = tuple[tuple[str, str], ...]
"""Dimensions (name, value) that a row has beside those of the whole fact, or instead of them."""
Row: TypeAlias = tuple[tuple[Own, str, str], int]
"""((own dimensions, name, bucket), amount): a point and what it has of its own."""


class Unfit(Exception):
    """An event that contradicts its contract or its subject's history; the message quotes no values."""


class Heard(NamedTuple):
    """One event as projections hear it. `said` is None for a type that no projection uses."""

    id: str
    type: str
    kind: str
    """What the subject is: customer, response, case, …"""
    subject: str
    revision: int
    time: datetime
    recorded: datetime
    zone: ZoneInfo
    """Whose calendar day the occurrence counts on."""
    said: Event | None

    def day(self, moment: datetime) -> str:
        """Local date of an instant, as YYYY-MM-DD. Raises Unfit outside the years 1000 to 8999."""
        return local_day(moment, self.zone)

    def next_midnight(self, moment: datetime) -> str:
        """The day whose first local instant is the first midnight at or after `moment`. Raises Unfit as `day` does."""
        local = _local(moment, self.zone)
        day = local.date().isoformat()
        if local.hour or local.minute or local.second or local.microsecond:
            return days_after(day, 1)
        return day


class Family(Protocol):
    """Numbers that are counted together: they share parts, points and cells.

    `entries` splits a fact into parts with dimensions; a cut collects the entries that have the same values of its
    dimensions. `points` says what such a part adds; it also gets the whole fact, for what only the whole can tell
    (a customer is lost when nothing at all is active). Both may be called with facts of any age.
    """

    @property
    def name(self) -> str: ...

    @property
    def rows(self) -> Callable[[Fact], tuple[Dims, Sequence[Row]]] | None:
        """Where the points of a part are those of its entries, one by one: dimensions of the fact, and all its points.

        None where many entries must be seen together, or there is never more than one.
        """
        ...

    def entries(self, fact: Fact) -> Sequence[Entry]: ...

    def points(self, part: Sequence[Entry], whole: Fact) -> Iterable[Point]: ...


class Projection(Protocol):
    """What is remembered about one kind of subject, and which families count it."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str:
        """The subject kind it hears; a fact's key is its subject's id, and each kind has one projection at most."""
        ...

    @property
    def hears(self) -> frozenset[type[Event]]: ...

    @property
    def families(self) -> Sequence[Family]: ...

    def fold(self, fact: Fact | None, heard: Heard) -> Fact:
        """The fact after the event; the given one is left as it is. Raises Unfit."""
        ...


def _local(moment: datetime, zone: ZoneInfo) -> datetime:
    # Four digits keep dates in order as texts, and leave room at both ends for offsets and periods.
    if not 1000 <= moment.year < 9000:
        raise Unfit("a time lies outside the years 1000 to 8999")
    return moment.astimezone(zone)


def local_day(moment: datetime, zone: ZoneInfo) -> str:
    """Local date of an instant, as YYYY-MM-DD. Raises Unfit outside the years 1000 to 8999."""
    return _local(moment, zone).date().isoformat()


def days_after(day: str, days: int) -> str:
    """The date so many days later."""
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


@lru_cache(maxsize=1_000)
def zone_named(name: str) -> ZoneInfo:
    """The IANA zone. Raises Unfit when there is none of that name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise Unfit("there is no such time zone") from error


def milliseconds(moment: datetime) -> int:
    """Milliseconds since 1970-01-01 UTC, exact."""
    return round(moment.timestamp() * 1000)
