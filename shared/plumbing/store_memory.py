"""A store in memory, for tests: it obeys the same rules as the one on MongoDB, and never awaits anything real."""

import copy
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from aiokafka import TopicPartition

from shared.plumbing.cells import Sums, merge, values_from, values_text, without_zeros
from shared.plumbing.projection import Fact
from shared.plumbing.slips import Slip, posted
from shared.plumbing.store import (
    Cell,
    CellsWanted,
    Change,
    Cursor,
    CursorMoved,
    Interrupted,
    Kept,
    Move,
    NotNew,
    Page,
    Parked,
    Quarantined,
    Writes,
)
from shared.plumbing.store_documents import place_named
from shared.plumbing.undo import undone


class MemoryStore:
    """Store and shelves in one. Two committers over one instance are two processes over one database."""

    def __init__(self) -> None:
        self._cursors: dict[TopicPartition, Cursor] = {}
        self.shelves: dict[str, dict[str, Page]] = {}
        self.changes: dict[tuple[str, str], list[Change]] = {}
        self.live: dict[str, Sums] = {}
        self.dated: dict[str, Sums] = {}
        self.slips_standing: dict[str, Slip] = {}
        self._parked: dict[tuple[str, str, int], Parked] = {}
        self.quarantined: dict[str, Quarantined] = {}

    async def claim(self, places: Collection[TopicPartition]) -> dict[TopicPartition, Cursor]:
        for place in places:
            known = self._cursors.get(place, Cursor(0, 0))
            self._cursors[place] = replace(known, epoch=known.epoch + 1)
        return {place: self._cursors[place] for place in places}

    async def cursors(self) -> dict[TopicPartition, Cursor]:
        return dict(self._cursors)

    async def pages(self, wanted: Mapping[str, Collection[str]]) -> dict[str, dict[str, Page]]:
        return {
            shelf: {
                subject: copy.deepcopy(page)
                for subject in subjects
                if (page := self.shelves.get(shelf, {}).get(subject)) is not None
            }
            for shelf, subjects in wanted.items()
        }

    async def parked(self, wanted: Mapping[str, Collection[str]]) -> dict[tuple[str, str, int], Parked]:
        return {key: parked for key, parked in self._parked.items() if key[1] in wanted.get(key[0], ())}

    async def slips(self, places: Collection[TopicPartition]) -> dict[TopicPartition, list[Slip]]:
        found: dict[TopicPartition, list[Slip]] = {}
        for slip in self.slips_standing.values():
            place = place_named(slip.shard)
            if place in places:
                found.setdefault(place, []).append(slip)
        return found

    async def commit(self, moves: Mapping[TopicPartition, Move], writes: Writes) -> None:
        moved = [
            place
            for place, move in moves.items()
            if (self._cursors[place].next, self._cursors[place].epoch) != (move.was.next, move.was.epoch)
        ]
        if moved:
            raise CursorMoved(moved)
        if any(page.subject in self.shelves.get(shelf, {}) for shelf, pages in writes.new.items() for page in pages):
            raise NotNew("a page that was taken for new stands already")
        self._post(writes)
        for place, move in moves.items():
            self._cursors[place] = Cursor(move.next, move.epoch, move.recorded)
        for shelf, pages in writes.new.items():
            for page in pages:
                self.shelves.setdefault(shelf, {})[page.subject] = copy.deepcopy(page)
        for shelf, pages in writes.changed.items():
            for page in pages:
                self.shelves[shelf][page.subject] = copy.deepcopy(page)
        for change in writes.changes:
            self.changes.setdefault((change.projection, change.subject), []).append(copy.deepcopy(change))
        if writes.slip is not None:
            self.slips_standing[writes.slip.id] = copy.deepcopy(writes.slip)
        for parked in writes.park:
            self._parked[parked.shelf, parked.subject, parked.revision] = parked
        for unparked in writes.unpark:
            del self._parked[unparked]
        for letter in writes.quarantine:
            self.quarantined.setdefault(letter.letter.place, letter)

    async def post(self, writes: Writes) -> None:
        self._post(writes)
        if writes.slip is not None:
            self.slips_standing[writes.slip.id] = copy.deepcopy(writes.slip)

    def _post(self, writes: Writes) -> None:
        if any(slip.id not in self.slips_standing for slip in writes.posted):
            raise Interrupted("slips were posted by another")
        for key, sums in writes.live.items():
            merge(self.live, key, sums)
        for key, sums in writes.dated.items():
            merge(self.dated, key, sums)
        for slip in writes.posted:
            del self.slips_standing[slip.id]

    def parked_letters(self) -> list[Kept]:
        """Records that wait for a missing revision."""
        return [parked.letter for parked in self._parked.values()]

    def contents(self) -> dict[str, Any]:
        """Everything that is determined, comparable: two stores with equal contents counted the same.

        Epochs of cursors and shards of cells are not: they tell who counted, and in which batches.
        """
        live, dated = copy.deepcopy((self.live, self.dated))
        for cells, more in zip(
            (live, dated), posted((slip.added for slip in self.slips_standing.values()), "slips"), strict=True
        ):
            for key, sums in more.items():
                merge(cells, key, sums)
        return {
            "next": {place: cursor.next for place, cursor in self._cursors.items()},
            "pages": {shelf: dict(sorted(pages.items())) for shelf, pages in self.shelves.items() if pages},
            "changes": self.changes,
            "live": _shown(live, 3),
            "dated": _shown(dated, 4),
            "parked": sorted(self._parked),
            "quarantined": sorted(self.quarantined),
        }

    @asynccontextmanager
    async def moment(self) -> AsyncIterator["_MemoryMoment"]:
        yield _MemoryMoment(copy.deepcopy(self))


class _MemoryMoment:
    """What a copy of the store says."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def cursors(self) -> dict[TopicPartition, Cursor]:
        return await self._store.cursors()

    async def set_aside(self) -> dict[str, int]:
        letters = [*self._store.parked_letters(), *(one.letter for one in self._store.quarantined.values())]
        return dict(Counter(letter.topic for letter in letters))

    async def cells(self, wanted: CellsWanted, as_of: str | None) -> list[tuple[Cell, int]]:
        store, found = self._store, []
        for key, sums in store.live.items():
            name, cut, month, _, values = key.split("|", 4)
            if name == wanted.projection and wanted.first <= month <= wanted.last:
                found.append((_cell(cut, month[:4], values, sums, wanted), 1))
        for key, sums in store.dated.items() if as_of is not None else ():
            name, cut, recorded, year, _, values = key.split("|", 5)
            after = as_of or ""
            later = recorded > f"M{after[:7]}" or (recorded > after and recorded.startswith(after[:7]))
            if name == wanted.projection and later:
                found.append((_cell(cut, year, values, sums, wanted), -1))
        for slip in store.slips_standing.values():
            for (name, day), added in slip.added.items():
                if name == wanted.projection and (as_of is None or day <= as_of):
                    for (names, month, of), sums in added.items():
                        found.append((_cell(",".join(names), month[:4], values_text(of), sums, wanted), 1))
        return [(cell, sign) for cell, sign in found if cell.cut in wanted.cuts]

    async def facts(self, projection: str, after: str, as_of: str | None) -> AsyncIterator[tuple[str, Fact]]:
        store = self._store
        for subject, page in sorted(store.shelves.get(projection, {}).items()):
            if subject <= after or page.fact is None or (as_of is not None and (page.born or "") > as_of):
                continue
            fact = page.fact
            for change in reversed(store.changes.get((projection, subject), [])):
                if as_of is not None and change.day > as_of:
                    fact = undone(fact, change.undo)
            yield subject, fact

    async def page(self, projection: str, subject: str) -> tuple[Page, Sequence[Change]] | None:
        found = (await self._store.pages({projection: [subject]}))[projection].get(subject)
        if found is None:
            return None
        return found, self._store.changes.get((projection, subject), [])

    async def touched(
        self, projection: str, after: str, since: str, until: str | None
    ) -> AsyncIterator[tuple[Page, Sequence[Change]]]:
        for subject, page in sorted(self._store.shelves.get(projection, {}).items()):
            if subject <= after or page.born is None or page.day <= since or (until is not None and page.born > until):
                continue
            changes = self._store.changes.get((projection, subject), [])
            yield page, [change for change in changes if change.day > since]


def _cell(cut: str, year: str, values: str, sums: Sums, wanted: CellsWanted) -> Cell:
    months: dict[str, dict[str, int]] = {}
    days: dict[str, dict[str, int]] = {}
    for path, amount in sums.items():
        counted_by, level, bucket, name = path.split(".", 3)
        if counted_by != wanted.family:
            continue
        if level == "m":
            months.setdefault(f"{year}-{bucket}", {})[name] = amount
        elif bucket in wanted.days:
            days.setdefault(f"{year}-{bucket[:2]}-{bucket[2:]}", {})[name] = amount
    return Cell(tuple(cut.split(",")) if cut else (), values_from(values), months, days)


def _shown(cells: dict[str, Sums], shard: int) -> dict[str, Sums]:
    """Sums over all shards; `shard` is its place in a cell's key."""
    totals: dict[str, Sums] = {}
    for key, sums in cells.items():
        parts = key.split("|", shard + 1)
        merge(totals, "|".join(parts[:shard] + parts[shard + 1 :]), sums)
    return without_zeros(totals)
