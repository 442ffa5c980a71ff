"""A hand-over in slices: what is committed in one transaction, and what is in hand meanwhile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from aiokafka import TopicPartition

from shared.plumbing.counting import Handed
from shared.plumbing.listening import Record
from shared.plumbing.plan import Outcome
from shared.plumbing.store import Cursor, Page

Slice: TypeAlias = Mapping[TopicPartition, Sequence[Record]]


@dataclass(frozen=True)
class Planned:
    """A slice of a hand-over, ready to be committed."""

    handed: Sequence[Handed]
    nexts: Mapping[TopicPartition, int]
    """Where each of its partitions goes on behind it."""
    outcome: Outcome

    @cached_property
    def pages(self) -> dict[str, dict[str, Page]]:
        """As they will be stored, by shelf and subject."""
        pages: dict[str, dict[str, Page]] = {}
        for written in (self.outcome.writes.new, self.outcome.writes.changed):
            for shelf, touched in written.items():
                pages.setdefault(shelf, {}).update((page.subject, page) for page in touched)
        return pages


@dataclass
class Hand:
    """The slices that are not committed yet, and how far all of it reaches."""

    slices: list[Slice] = field(default_factory=list)
    planned: Planned | None = None
    """The first of them."""
    cursors: dict[TopicPartition, Cursor] = field(default_factory=dict)
    """As they stand before the first of them."""
    offsets: dict[TopicPartition, int] = field(default_factory=dict)
    """Where each partition goes on behind the last of them."""
    generation: int | None = None
    broken_off: bool = False
    """Whether a partition must be read again from elsewhere first."""


def sliced(records: Slice, size: int) -> list[dict[TopicPartition, Sequence[Record]]]:
    """Slices of about so many records; each has its share of every partition, in order."""
    count = max(1, round(sum(map(len, records.values())) / size)) if records else 0
    slices: list[dict[TopicPartition, Sequence[Record]]] = [{} for _ in range(count)]
    for place, of_place in records.items():
        for number, part in enumerate(slices):
            if share := of_place[len(of_place) * number // count : len(of_place) * (number + 1) // count]:
                part[place] = share
    return slices


def first_lacking(start: int, records: Sequence[Record]) -> int | None:
    """The first offset from `start` on that none of these has, of those before their last one; None: there is none."""
    if not records or records[-1].offset - start < len(records):
        return None
    return next(offset for offset, record in enumerate(records, start) if record.offset != offset)
