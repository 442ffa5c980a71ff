"""Cells: counted sums by cut, month and day, and what a fact adds to them.

A cell document holds, for one projection, cut, month, shard and set of values, the month's sums (`m`) and each day's
(`d`), by family and name. Shards are the partitions the facts came from, so that no two consumers write one document.
`live` cells say what is known now; `dated` ones, with the day of recording, take the later part away again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import orjson

from shared.plumbing.projection import Entry, Fact, Family, Point

Cut: TypeAlias = tuple[str, ...]
"""Names of dimensions in alphabetical order; the empty one is the total."""
Values: TypeAlias = tuple[str, ...]
Sums: TypeAlias = dict[str, int]
"""Path inside a cell document (`m.family.name` or `d.23.family.name`) → sum."""
CellKey: TypeAlias = tuple[Cut, str, Values]
"""(cut, month as YYYY-MM, values in the order of the cut)."""


@dataclass(frozen=True)
class Cuts:
    """The declared cuts: total, each dimension, each crossed with `crossed`, and `pairs`. Others need the facts."""

    dimensions: frozenset[str]
    declared: frozenset[Cut]

    @classmethod
    def of(cls, dimensions: Iterable[str], crossed: Iterable[str], pairs: Iterable[Iterable[str]]) -> "Cuts":
        names = frozenset(dimensions)
        cuts: set[Cut] = {(), *((name,) for name in names)}
        cuts.update(cut_of((name, other)) for name in names for other in crossed if name != other)
        cuts.update(cut_of(pair) for pair in pairs)
        return cls(names, frozenset(cuts))

    def within(self, present: frozenset[str]) -> tuple[Cut, ...]:
        """Declared cuts whose dimensions are all present, in a fixed order."""
        return _within(self.declared, present & self.dimensions)


def cut_of(names: Iterable[str]) -> Cut:
    return tuple(sorted(set(names)))


@lru_cache(maxsize=10_000)
def _within(declared: frozenset[Cut], present: frozenset[str]) -> tuple[Cut, ...]:
    return tuple(sorted(cut for cut in declared if present.issuperset(cut)))


def parts(entries: Sequence[Entry], cut: Cut) -> Mapping[Values, Sequence[Entry]]:
    """Entries by their values of the cut; an entry that lacks one of its dimensions belongs to no part."""
    if not cut:
        return {(): entries}
    if len(entries) == 1:
        dims = entries[0][0]
        for name in cut:
            if name not in dims:
                return {}
        return {tuple(dims[name] for name in cut): entries}
    found: dict[Values, list[Entry]] = {}
    for entry in entries:
        dims = entry[0]
        try:
            values = tuple([dims[name] for name in cut])
        except KeyError:
            continue
        found.setdefault(values, []).append(entry)
    return found


class Contributions:
    """What facts add to the cells of one shard, gathered until it is spread over the cuts.

    Facts of a batch share most of their dimensions, so what has the same dimensions is summed first, and each sum is
    spread over the cuts once. Parts that must be seen together (an order of a customer beside the others) are spread
    at once.
    """

    def __init__(self, cuts: Cuts) -> None:
        self._cuts = cuts
        self._gathered: dict[tuple[str, tuple[tuple[str, str], ...]], dict[tuple[str, str], int]] = {}
        self._cells: dict[CellKey, Sums] = {}

    def add(self, families: Sequence[Family], fact: Fact, sign: int) -> None:
        """Add (`sign` 1) or take away (−1) what the fact counts."""
        declared = self._cuts.dimensions
        for family in families:
            entries = family.entries(fact)
            if family.additive or len(entries) == 1:
                for entry in entries:
                    key = (family.name, tuple([item for item in entry[0].items() if item[0] in declared]))
                    sums = self._gathered.get(key)
                    if sums is None:
                        sums = self._gathered[key] = {}
                    for name, bucket, amount in family.points((entry,), fact):
                        point = (name, bucket)
                        sums[point] = sums.get(point, 0) + sign * amount
            elif entries:
                self._add_together(family, entries, fact, sign)

    def cells(self) -> dict[CellKey, Sums]:
        """All of it, spread over every declared cut."""
        for (family, items), sums in self._gathered.items():
            dims = dict(items)
            placed = _placed(family, [(name, bucket, amount) for (name, bucket), amount in sums.items() if amount])
            for cut in self._cuts.within(frozenset(dims)):
                self._place(cut, tuple([dims[name] for name in cut]), placed, 1)
        self._gathered.clear()
        return self._cells

    def _add_together(self, family: Family, entries: Sequence[Entry], fact: Fact, sign: int) -> None:
        all_of_it: list[_Placed] | None = None
        for cut in self._cuts.within(frozenset().union(*[dims for dims, _ in entries])):
            for values, part in parts(entries, cut).items():
                if len(part) < len(entries):
                    placed = _placed(family.name, family.points(part, fact))
                else:
                    placed = all_of_it = all_of_it or _placed(family.name, family.points(entries, fact))
                self._place(cut, values, placed, sign)

    def _place(self, cut: Cut, values: Values, placed: Sequence["_Placed"], sign: int) -> None:
        for month, month_path, day_path, amount in placed:
            key = (cut, month, values)
            sums = self._cells.get(key)
            if sums is None:
                sums = self._cells[key] = {}
            sums[month_path] = sums.get(month_path, 0) + sign * amount
            if day_path is not None:
                sums[day_path] = sums.get(day_path, 0) + sign * amount


_Placed: TypeAlias = tuple[str, str, str | None, int]
"""Month, path of the month's sum, path of the day's (None: counted by month alone), amount."""


def _placed(family: str, points: Iterable[Point]) -> list[_Placed]:
    return [
        (
            bucket[:7],
            f"m.{family}.{name}",
            f"d.{bucket[8:]}.{family}.{name}" if len(bucket) == 10 else None,
            amount,
        )
        for name, bucket, amount in points
    ]


@lru_cache(maxsize=100_000)
def values_text(values: Values) -> str:
    """Values as they stand in a key: JSON, so that no value can be mistaken for a separator."""
    return orjson.dumps(values).decode()


def values_from(text: str) -> Values:
    return tuple(orjson.loads(text))


def live_key(projection: str, key: CellKey, shard: str) -> str:
    """`projection|cut|month|shard|values`: a cut's months stand together."""
    cut, month, values = key
    return f"{projection}|{','.join(cut)}|{month}|{shard}|{values_text(values)}"


def dated_key(projection: str, key: CellKey, shard: str, recorded: str) -> str:
    """`projection|cut|recorded day|month|shard|values`: what was recorded after a day stands together."""
    cut, month, values = key
    return f"{projection}|{','.join(cut)}|{recorded}|{month}|{shard}|{values_text(values)}"


def merge(into: dict[str, Sums], key: str, sums: Sums) -> None:
    """Add `sums` to those of `key`."""
    known = into.get(key)
    if known is None:
        into[key] = dict(sums)
        return
    for path, amount in sums.items():
        known[path] = known.get(path, 0) + amount


def without_zeros(cells: dict[str, Sums]) -> dict[str, Sums]:
    """Nothing is written for what cancels out."""
    kept: dict[str, Sums] = {}
    for key, sums in cells.items():
        left = {path: amount for path, amount in sums.items() if amount}
        if left:
            kept[key] = left
    return kept
