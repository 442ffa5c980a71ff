"""Rows of one family in one batch, summed by cut: the inner loop of counting, so columns of numbers do the work."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from shared.plumbing.projection import Cut, Own, Row, Values

Group: TypeAlias = tuple[str, str]
"""What is summed apart: family and day of recording."""

HALF = 26
"""Amounts are added up in two halves of so many bits, since NumPy sums by key in floats, exact below 2**53."""
SPARSE = 16
"""Keys that are possible for each row; with more of them, those that occur are numbered first."""
Numbers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Summed:
    """What does not cancel out of one cut, in columns: part after part."""

    values: Sequence[Values]
    """Of the cut's dimensions, by the number of the part; a part where one is lacking does not occur."""
    parts: Numbers
    points: Numbers
    amounts: Numbers

    def under(self, others: Numbers, count: int) -> "Summed":
        """The same by other points, below `count`: `others` tells for each point which it belongs to, or -1."""
        points = others[self.points]
        kept = points >= 0
        keys = self.parts[kept] * count + points[kept]
        keys, amounts = _added_up(keys, self.amounts[kept], len(self.values) * count)
        parts, points = np.divmod(keys, max(count, 1))
        return Summed(self.values, parts, points, amounts)


class Rows:
    """Rows of many facts, gathered until they are summed."""

    def __init__(self) -> None:
        self.points: list[tuple[Group, str, str]] = []
        """(group, name, bucket) of each point, by its number."""
        self._numbers: dict[tuple[Group, str, str], int] = {}
        self._dims: list[Mapping[str, str]] = []
        self._lengths: list[int] = []
        """How many rows in a row have these dimensions."""
        self._kinds: dict[Group, dict[tuple[Own, str, str], int]] = {}
        """Rows without their amounts → number of the kind."""
        self._owns: list[Own] = []
        self._kind_points: list[int] = []
        """Own dimensions and point of each kind."""
        self._rows: list[int] = []
        self._amounts: list[int] = []

    def add(self, group: Group, dims: Mapping[str, str], rows: Sequence[Row], sign: int) -> None:
        """Add rows of a fact with these dimensions, or (`sign` −1) take them away."""
        kinds = self._kinds.get(group)
        if kinds is None:
            kinds = self._kinds[group] = {}
        for kind, amount in rows:
            number = kinds.get(kind)
            if number is None:
                number = kinds[kind] = self._new_kind(group, *kind)
            self._rows.append(number)
            self._amounts.append(sign * amount)
        if self._dims and self._dims[-1] is dims:  # another family's rows of the same fact
            self._lengths[-1] += len(rows)
        else:
            self._dims.append(dims)
            self._lengths.append(len(rows))

    def sums(
        self, declared: frozenset[str], within: Callable[[frozenset[str]], Sequence[Cut]]
    ) -> Iterator[tuple[Cut, Summed]]:
        """The sums of every cut that `within` finds among the declared dimensions that occur.

        A row that lacks one of a cut's dimensions belongs to none of its parts.
        """
        owns = [dict(own) for own in self._owns]
        present = declared.intersection(frozenset().union(*self._dims, *owns))
        facts, kinds = np.repeat(np.arange(len(self._dims)), self._lengths), _column(self._rows)
        columns = {name: _values(name, self._dims, facts, owns, kinds) for name in present}
        tables = [_Table(columns, _column(self._kind_points)[kinds], _column(self._amounts))]
        for cut in sorted(within(present), key=len, reverse=True):
            # A coarser cut is summed from the shortest finer one: its sums are rows as good as those it was made of.
            finer = min(
                (table for table in tables if table.columns.keys() >= set(cut)), key=lambda one: len(one.points)
            )
            table = finer.summed(cut, len(self.points))
            tables.append(table)
            yield cut, table.parts(cut)

    def _new_kind(self, group: Group, own: Own, name: str, bucket: str) -> int:
        point = (group, name, bucket)
        number = self._numbers.get(point)
        if number is None:
            number = self._numbers[point] = len(self.points)
            self.points.append(point)
        self._owns.append(own)
        self._kind_points.append(number)
        return len(self._owns) - 1


_Values: TypeAlias = tuple[list[str | None], Numbers]
"""The values that occur, and the number of each row's; number 0 is None, where a row has none."""


def _values(
    name: str, dims: Sequence[Mapping[str, str]], facts: Numbers, owns: Sequence[Mapping[str, str]], kinds: Numbers
) -> _Values:
    of_facts, of_owns = [one.get(name) for one in dims], [one.get(name) for one in owns]
    values = list(dict.fromkeys([None, *of_facts, *of_owns]))
    number = {value: number for number, value in enumerate(values)}.__getitem__
    own, common = _column(list(map(number, of_owns)))[kinds], _column(list(map(number, of_facts)))[facts]
    return values, np.where(own, own, common)


@dataclass(frozen=True)
class _Table:
    """Rows in columns: the values of some dimensions, the point, the amount."""

    columns: Mapping[str, _Values]
    points: Numbers
    amounts: Numbers

    def summed(self, cut: Cut, count: int) -> "_Table":
        """Rows that agree in the dimensions of a cut and the point (below `count`) as one, in their order."""
        # A key is a number in a mixed base: each has fewer digits than the batch has rows, so that 64 bits hold a pair.
        keys, possible = np.zeros(len(self.points), np.int64), 1
        for name in cut:
            values, numbers = self.columns[name]
            keys, possible = keys * len(values) + numbers, possible * len(values)
        keys, amounts = _added_up(keys * count + self.points, self.amounts, possible * count)
        keys, points = np.divmod(keys, max(count, 1))
        columns = {}
        for name in reversed(cut):
            values = self.columns[name][0]
            keys, numbers = np.divmod(keys, len(values))
            columns[name] = values, numbers
        return _Table(columns, points, amounts)

    def parts(self, cut: Cut) -> Summed:
        """As sums of that cut, by which this is in order."""
        whole, begins = np.ones(len(self.points), bool), np.zeros(len(self.points), bool)
        begins[:1] = True
        for _, numbers in self.columns.values():
            whole &= numbers != 0
            begins[1:] |= numbers[1:] != numbers[:-1]
        picked = [
            [values[number] or "" for number in numbers[begins].tolist()]
            for values, numbers in (self.columns[name] for name in cut)
        ]
        of_parts = list(zip(*picked, strict=True)) if picked else [()]
        parts = np.cumsum(begins) - 1
        return Summed(of_parts, parts[whole], self.points[whole], self.amounts[whole])


def _added_up(keys: Numbers, amounts: Numbers, possible: int) -> tuple[Numbers, Numbers]:
    """Keys (below `possible`) in order, and the sum of each; those that are 0 are left out."""
    occurring = None
    if possible > SPARSE * len(keys):
        occurring, keys = np.unique(keys, return_inverse=True)
        possible = len(occurring)
    sums = np.bincount(keys, amounts & ((1 << HALF) - 1), possible).astype(np.int64)
    high = amounts >> HALF
    if high.any():
        sums += np.bincount(keys, high, possible).astype(np.int64) << HALF
    left = np.flatnonzero(sums)
    return left if occurring is None else occurring[left], sums[left]


def _column(numbers: Sequence[int]) -> Numbers:
    return np.array(numbers, np.int64)
