"""Cells: counted sums by cut, month and day, and what a fact adds to them.

A cell document holds, for one projection, cut, shard and set of values, by family the sums of months (`m`) and of
days (`d`), by name. Who counts writes to one shard, named after the first of its partitions: so no two consumers write
one document, and what many partitions say about one day is one sum. Which shard a sum stands in is chance; only sums
over all shards mean anything.
`live` cells, of one month each, say what is known now. `dated` ones take the later part away again: of one year each,
once by the day of recording and once by its month, so that what was recorded after a day is what was recorded on the
later days of its month and in the later months.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import orjson

from shared.plumbing.projection import Entry, Fact, Family, Point
from shared.plumbing.rows import Cut, Rows, Values

Sums: TypeAlias = dict[str, int]
"""Path inside a cell document (`family.m.07.name` or `family.d.0723.name`) → sum."""
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

    Parts that may be counted one by one are kept as rows and counted together, cut by cut. Parts that must be seen
    together (an order of a customer beside the others) are spread at once.
    """

    def __init__(self, cuts: Cuts) -> None:
        self._cuts = cuts
        self._rows: dict[str, Rows] = {}
        self._cells: dict[CellKey, Sums] = {}

    def add(self, families: Sequence[Family], fact: Fact, sign: int) -> None:
        """Add (`sign` 1) or take away (−1) what the fact counts."""
        for family in families:
            entries = family.entries(fact)
            if family.additive or len(entries) == 1:
                rows = self._rows.get(family.name)
                if rows is None:
                    rows = self._rows[family.name] = Rows()
                for entry in entries:
                    for name, bucket, amount in family.points((entry,), fact):
                        rows.add(entry[0], (name, bucket), sign * amount)
            elif entries:
                self._add_together(family, entries, fact, sign)

    def cells(self) -> dict[CellKey, Sums]:
        """All of it, spread over every declared cut."""
        for family, rows in self._rows.items():
            placed = [_placed(family, name, bucket) for name, bucket in rows.numbers]
            for cut, table in rows.tables(self._cuts.dimensions, self._cuts.within):
                for key, amount in table.items():
                    if amount and None not in key:
                        self._place(cut, key[:-1], placed[key[-1]], amount)
        self._rows.clear()
        return self._cells

    def _add_together(self, family: Family, entries: Sequence[Entry], fact: Fact, sign: int) -> None:
        all_of_it: list[tuple[_Placed, int]] | None = None
        for cut in self._cuts.within(frozenset().union(*[dims for dims, _ in entries])):
            for values, part in parts(entries, cut).items():
                if len(part) < len(entries):
                    points = _all_placed(family.name, family.points(part, fact))
                else:
                    points = all_of_it = all_of_it or _all_placed(family.name, family.points(entries, fact))
                for placed, amount in points:
                    self._place(cut, values, placed, sign * amount)

    def _place(self, cut: Cut, values: Values, placed: "_Placed", amount: int) -> None:
        month, month_path, day_path = placed
        key = (cut, month, values)
        sums = self._cells.get(key)
        if sums is None:
            sums = self._cells[key] = {}
        sums[month_path] = sums.get(month_path, 0) + amount
        if day_path is not None:
            sums[day_path] = sums.get(day_path, 0) + amount


_Placed: TypeAlias = tuple[str, str, str | None]
"""Month, path of the month's sum, path of the day's (None: counted by month alone)."""


def _placed(family: str, name: str, bucket: str) -> _Placed:
    month = bucket[5:7]
    day_path = f"{family}.d.{month}{bucket[8:]}.{name}" if len(bucket) == 10 else None
    return bucket[:7], f"{family}.m.{month}.{name}", day_path


def _all_placed(family: str, points: Iterable[Point]) -> list[tuple[_Placed, int]]:
    return [(_placed(family, name, bucket), amount) for name, bucket, amount in points]


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


def dated_keys(projection: str, key: CellKey, shard: str, day: str) -> tuple[str, str]:
    """`projection|cut|recorded|year|shard|values`, once with the day of recording, once with its month (`M2026-05`).

    What was recorded later in the same month stands together, and so does what was recorded in later months.
    """
    cut, month, values = key
    before, after = f"{projection}|{','.join(cut)}|", f"|{month[:4]}|{shard}|{values_text(values)}"
    return f"{before}{day}{after}", f"{before}M{day[:7]}{after}"


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
