"""Rows of one family in one batch, summed by cut: the inner loop of counting, so columns of numbers do the work."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from shared.plumbing.projection import Cut, Own, Row, Values

Group: TypeAlias = tuple[str, str]
"""What is summed apart: family and day of recording."""
Sum: TypeAlias = tuple[Values, int, int]
"""Values of a cut's dimensions, number of the point, amount."""

HALF = 26
"""Amounts are added up in two halves of so many bits, since NumPy sums by key in floats, exact below 2**53."""
SPARSE = 16
"""Keys that are possible for each row; with more of them, those that occur are numbered first."""
Numbers: TypeAlias = NDArray[np.int64]


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
    ) -> Iterator[tuple[Cut, Iterator[Sum]]]:
        """What does not cancel out, of every cut that `within` finds among the declared dimensions that occur.

        A row that lacks one of a cut's dimensions belongs to none of its parts.
        """
        owns = [dict(own) for own in self._owns]
        present = declared.intersection(frozenset().union(*self._dims, *owns))
        facts, kinds = np.repeat(np.arange(len(self._dims)), self._lengths), _column(self._rows)
        columns = {name: _values(name, self._dims, facts, owns, kinds) for name in present}
        points, amounts = _column(self._kind_points)[kinds], _column(self._amounts)
        for cut in within(present):
            yield cut, _summed([columns[name] for name in cut], len(self.points), points, amounts)

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


def _summed(columns: Sequence[_Values], possible: int, points: Numbers, amounts: Numbers) -> Iterator[Sum]:
    # A key is a number in a mixed base: each has fewer digits than the batch has rows, so that 64 bits hold a pair.
    keys = points
    for values, numbers in columns:
        keys, possible = keys * len(values) + numbers, possible * len(values)
    occurring = None
    if possible > SPARSE * len(keys):
        occurring, keys = np.unique(keys, return_inverse=True)
        possible = len(occurring)
    low = np.bincount(keys, amounts & ((1 << HALF) - 1), possible).astype(np.int64)
    high = np.bincount(keys, amounts >> HALF, possible).astype(np.int64)
    sums = low + (high << HALF)
    left = np.flatnonzero(sums)
    found = left if occurring is None else occurring[left]
    picked: list[list[str | None]] = []
    for values, _ in reversed(columns):
        found, numbers = np.divmod(found, len(values))
        picked.append([values[number] for number in numbers.tolist()])
    parts = zip(*reversed(picked), strict=True) if picked else [()] * len(left)
    for part, point, amount in zip(parts, found.tolist(), sums[left].tolist(), strict=True):
        if None not in part:
            yield part, point, amount


def _column(numbers: Sequence[int]) -> Numbers:
    return np.array(numbers, np.int64)
