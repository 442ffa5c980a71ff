"""Slips: what a small batch adds to the cells, kept as one document until many of them are posted to the cells at once.

A batch of a few records touches almost as many cells as one of hundreds; changing each of them makes the records wait
for thirty times the work of storing them. So a small batch leaves a slip, and readers add the slips that stand to the
cells. A slip is posted and removed in one transaction: what stands in cells and slips together is always exact.
"""

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


@dataclass(frozen=True)
class Rules:
    """How long slips may stand; each of them has to be read with every question."""

    small: int = 400
    """Records: a batch of more changes the cells itself, and posts the slips that stand."""
    most_records: int = 1_000
    """In all slips of one process together."""
    most: int = 30

    def may_stand(self, records: int, standing: Sequence[Slip]) -> bool:
        """Whether a batch of so many records may leave a slip beside those that stand."""
        in_all = records + sum(slip.records for slip in standing)
        return records <= self.small and in_all <= self.most_records and len(standing) < self.most


USUAL = Rules()
NONE = Rules(0, 0, 0)
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
