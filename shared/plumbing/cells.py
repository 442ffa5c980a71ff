"""Cells: counted sums by cut, month and day, and their keys.

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
from typing import TypeAlias, TypeVar

import orjson

from shared.plumbing.projection import Cut, Entry, Values

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


Key = TypeVar("Key")


def merge(into: dict[Key, Sums], key: Key, sums: Sums) -> None:
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
        left = {path: amount for path, amount in sums.items() if amount} if 0 in sums.values() else sums
        if left:
            kept[key] = left
    return kept
