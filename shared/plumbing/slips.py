"""Slips: what a small batch adds to the cells, kept as one document until many of them are posted to the cells at once.

A batch of a few records touches almost as many cells as one of hundreds; changing each of them makes the records wait
for thirty times the work of storing them. So all but the largest batches leave a slip, and readers add the slips that
stand to the cells. Slips are posted beside the batches that come, and removed in the same transaction: what stands in
cells and slips together is always exact, whoever posts. To post few records costs almost as much as to post many; so
when slips become many before they hold much, they are laid together as one instead.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from shared.plumbing.cells import CellKey, Sums, dated_keys, live_key, merge, without_zeros

Added: TypeAlias = dict[tuple[str, str], dict[CellKey, Sums]]
"""(projection, day of recording) → what is added to each cell."""


@dataclass(frozen=True)
class Slip:
    """What one batch added, to be posted to a shard by whoever counts the partition that it is named after."""

    id: str
    shard: str
    records: int
    added: Added

    @property
    def sums(self) -> int:
        """How many it adds to."""
        return sum(map(len, _all_sums(self.added)))


@dataclass(frozen=True)
class Rules:
    """How long slips may stand; each of them has to be read with every question."""

    small: int = 4_000
    """Records: a batch of more changes the cells itself, and posts the slips that stand."""
    small_sums: int = 100_000
    """On one slip: well below what a document may hold."""
    ripe_records: int = 6_000
    """In all slips of one process together: from so many on they are posted beside the batches."""
    many: int = 12
    """More of them are laid together as one."""
    sums_together: int = 30_000
    """On that one: well below what a document may hold, however long their names. More are posted."""
    most_records: int = 20_000
    """A batch that would make them more posts all of them itself: posting beside it does not keep up."""
    most: int = 30

    def is_small(self, records: int, added: Added) -> bool:
        """Whether a batch that adds this may leave a slip; a larger one adds to the cells itself."""
        return records <= self.small and sum(map(len, _all_sums(added))) <= self.small_sums

    def may_stand(self, records: int, standing: Sequence[Slip]) -> bool:
        """Whether a slip of so many records may stand beside the others."""
        return records + _records(standing) <= self.most_records and len(standing) < self.most

    def are_ripe(self, standing: Sequence[Slip]) -> bool:
        """Whether it is time to post them."""
        return _records(standing) >= self.ripe_records

    def are_many(self, standing: Sequence[Slip]) -> bool:
        """Whether it is time to lay them together."""
        return len(standing) > self.many


def together(slips: Sequence[Slip]) -> Slip:
    """One slip that adds what all of these add."""
    added: Added = {}
    for slip in slips:
        for place, cells in slip.added.items():
            into = added.setdefault(place, {})
            for key, sums in cells.items():
                merge(into, key, sums)
    return Slip(uuid.uuid4().hex, slips[-1].shard, _records(slips), added)


def _records(slips: Sequence[Slip]) -> int:
    return sum(slip.records for slip in slips)


def _all_sums(added: Added) -> Iterable[Sums]:
    return (sums for cells in added.values() for sums in cells.values())


USUAL = Rules()
NONE = Rules(small=0)
"""For who counts a backlog that nobody asks for yet."""


def posted(additions: Iterable[Added], shard: str) -> tuple[dict[str, Sums], dict[str, Sums]]:
    """Live and dated cells of a shard, by their keys, that all of these add to."""
    live: dict[str, Sums] = {}
    dated: dict[str, Sums] = {}
    for added in additions:
        for (projection, day), cells in added.items():
            for key, sums in cells.items():
                merge(live, live_key(projection, key, shard), sums)
                for name in dated_keys(projection, key, shard, day):
                    merge(dated, name, sums)
    return without_zeros(live), without_zeros(dated)
