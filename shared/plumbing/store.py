"""What a batch committer remembers, as a port: MongoDB fulfils it (store_mongo.py), and memory does for tests.

Obligations of every store: `commit` is all or nothing, and atomic with the compare-and-set of every cursor it moves;
`claim` makes commits under an older epoch of the same partition impossible from then on.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from aiokafka import TopicPartition

from shared.plumbing.cells import Sums
from shared.plumbing.projection import Cut, Fact, Values
from shared.plumbing.slips import Slip

Document: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Cursor:
    """How far a partition is counted: `next` is the first offset that is not."""

    next: int
    epoch: int
    recorded: datetime | None = None
    """Recording time of the last counted event."""


@dataclass(frozen=True)
class Move:
    """A cursor's step; it applies only to the very cursor that was read."""

    was: Cursor
    next: int
    recorded: datetime | None

    @property
    def epoch(self) -> int:
        """A step on the spot (a dead letter counted after all) ends its epoch.

        A write that changes nothing would not conflict with a claim made meanwhile, and the one who made it would go
        on from pages read before this step.
        """
        return self.was.epoch if self.next != self.was.next else self.was.epoch + 1


@dataclass(frozen=True)
class First:
    """The event that made a fact."""

    revision: int
    event: str
    type: str


@dataclass(slots=True)
class Page:
    """What is stored about one subject: the guard, and the fact where a projection keeps one."""

    subject: str
    revision: int = 0
    event: str | None = None
    """Id of the event of that revision."""
    day: str = ""
    """Day of recording of the last event, YYYY-MM-DD in the installation's zone."""
    born: str | None = None
    """Day of recording of the event that made the fact."""
    fact: Fact | None = None
    parked: list[int] = field(default_factory=list)
    """Revisions that arrived before a missing one."""
    first: First | None = None
    """The event that made the fact; `changes` tell of those after it."""


@dataclass(frozen=True)
class Change:
    """One event after a fact's first: how to undo it."""

    projection: str
    subject: str
    revision: int
    event: str
    type: str
    day: str
    undo: Document


@dataclass(frozen=True)
class Kept:
    """A record as it came, and where it stands on its topic."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None

    @property
    def place(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True)
class Parked:
    """A record that waits for a missing revision of its subject."""

    shelf: str
    subject: str
    revision: int
    event: str
    letter: Kept
    received: datetime


@dataclass(frozen=True)
class Quarantined:
    """A record that could not be counted."""

    letter: Kept
    reason: str
    received: datetime


@dataclass
class Writes:
    """All that one batch writes besides the cursors. Pages by shelf; cells by their keys."""

    new: dict[str, list[Page]] = field(default_factory=dict)
    changed: dict[str, list[Page]] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    live: dict[str, Sums] = field(default_factory=dict)
    dated: dict[str, Sums] = field(default_factory=dict)
    slip: Slip | None = None
    """What is added to cells later."""
    posted: list[Slip] = field(default_factory=list)
    """Slips that `live` and `dated` contain, or `slip`."""
    park: list[Parked] = field(default_factory=list)
    unpark: list[tuple[str, str, int]] = field(default_factory=list)
    quarantine: list[Quarantined] = field(default_factory=list)


class CursorMoved(Exception):
    """Somebody else counts these partitions now; nothing was written."""

    def __init__(self, places: Collection[TopicPartition]) -> None:
        super().__init__(f"cursors moved: {sorted(places)}")
        self.places = frozenset(places)


class Interrupted(Exception):
    """The outcome of a commit is unknown, or it was aborted: claim again to see which."""


class NotNew(Interrupted):
    """A page that was taken for new without a look stands already; nothing was written: look, and plan again."""


class Store(Protocol):
    """Write side."""

    async def claim(self, places: Collection[TopicPartition]) -> Mapping[TopicPartition, Cursor]:
        """Become the one who counts these partitions; a former owner's open transaction is ended. May be repeated."""
        ...

    async def cursors(self) -> Mapping[TopicPartition, Cursor]:
        """All cursors as they stand."""
        ...

    async def pages(self, wanted: Mapping[str, Collection[str]]) -> Mapping[str, dict[str, Page]]:
        """Pages by shelf and subject; what is not there is left out."""
        ...

    async def parked(self, wanted: Mapping[str, Collection[str]]) -> Mapping[tuple[str, str, int], Parked]:
        """Everything parked for the subjects, by (shelf, subject, revision)."""
        ...

    async def slips(self, places: Collection[TopicPartition]) -> Mapping[TopicPartition, list[Slip]]:
        """Slips that stand, by the partition that their shard is named after."""
        ...

    async def commit(self, moves: Mapping[TopicPartition, Move], writes: Writes) -> None:
        """Write all of it or nothing. Raises CursorMoved, NotNew or Interrupted."""
        ...

    async def post(self, writes: Writes) -> None:
        """Remove the posted slips and add to the cells, or lay one for them; or nothing. Also beside a commit.

        Rests on no cursor: a slip that stands can be posted by anybody, and by one alone. Raises Interrupted.
        """
        ...


@dataclass(frozen=True)
class Cell:
    """Sums of one shard and one family, by name: of whole months (`2026-05`) and of single days (`2026-05-23`)."""

    cut: Cut
    values: Values
    months: Mapping[str, Mapping[str, int]]
    days: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class CellsWanted:
    """Which sums of some cuts: months from `first` to `last`, both included (YYYY-MM), and `days` (MMDD of any year).

    What is not wanted may come all the same.
    """

    projection: str
    family: str
    cuts: Collection[Cut]
    first: str
    last: str
    days: Collection[str] = ()


class Moment(Protocol):
    """Read side, frozen at one moment: all that is read belongs together."""

    async def cursors(self) -> Mapping[TopicPartition, Cursor]: ...

    async def set_aside(self) -> Mapping[str, int]:
        """Records by topic that are in no number yet, but may be: they wait for a missing revision, or for a person."""
        ...

    async def cells(self, wanted: CellsWanted, as_of: str | None) -> list[tuple[Cell, int]]:
        """Cells whose sum, each with its sign, is what was recorded by the end of the day `as_of` (None: by now)."""
        ...

    def facts(self, projection: str, after: str, as_of: str | None) -> AsyncIterator[tuple[str, Fact]]:
        """Facts as recorded by the end of the day `as_of` (None: now), by key in ascending order beyond `after`."""
        ...

    async def page(self, projection: str, subject: str) -> tuple[Page, Sequence[Change]] | None:
        """One page and its changes by ascending revision."""
        ...

    def touched(
        self, projection: str, after: str, since: str, until: str | None
    ) -> AsyncIterator[tuple[Page, Sequence[Change]]]:
        """Pages by ascending key beyond `after` whose last event was recorded after the day `since`.

        With each, all its changes recorded after that day. Facts made after the day `until` are left out.
        """
        ...


class Shelves(Protocol):
    """Where moments are opened."""

    def moment(self) -> AbstractAsyncContextManager[Moment]: ...
