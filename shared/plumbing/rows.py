"""Rows of one family in one batch, summed by cut: the inner loop of counting, so columns and C do the work."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypeAlias

Cut: TypeAlias = tuple[str, ...]
"""Names of dimensions in alphabetical order; the empty one is the total."""
Values: TypeAlias = tuple[str, ...]
Table: TypeAlias = dict[tuple[Any, ...], int]
"""Values of a cut's dimensions (None where a row has no such dimension), then the point's number → sum."""


class Rows:
    """Points with the dimensions of what they count."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[str, str], int] = {}
        """(name, bucket) of a point → its number, from 0 on in this order."""
        self._dims: list[Mapping[str, str]] = []
        self._points: list[int] = []
        self._weighed: list[tuple[Mapping[str, str], int, int]] = []
        """Dimensions, point and amount of what does not add 1."""

    def add(self, dims: Mapping[str, str], point: tuple[str, str], amount: int) -> None:
        number = self.numbers.setdefault(point, len(self.numbers))
        if amount == 1:
            self._dims.append(dims)
            self._points.append(number)
        else:
            self._weighed.append((dims, number, amount))

    def tables(
        self, declared: frozenset[str], within: Callable[[frozenset[str]], Sequence[Cut]]
    ) -> Iterator[tuple[Cut, Table]]:
        """The sums of every cut that `within` finds among the declared dimensions that occur.

        Only the finest cuts are counted from the rows. What is left there is far less, and the coarser ones are summed
        from it; that is why a row without one of the dimensions is kept, under None.
        """
        present = declared.intersection(frozenset().union(*self._dims, *[dims for dims, _, _ in self._weighed]))
        columns = {name: [dims.get(name) for dims in self._dims] for name in present}
        tables: dict[Cut, Table] = {}
        for cut, finer in _finest_first(tuple(within(present))):
            if finer:
                source = min(finer, key=lambda other: len(tables[other]))
                tables[cut] = _without_others(tables[source], [source.index(name) for name in cut])
            else:
                tables[cut] = self._counted(cut, columns)
            yield cut, tables[cut]

    def _counted(self, cut: Cut, columns: Mapping[str, Sequence[str | None]]) -> Table:
        table: Table = Counter(zip(*[columns[name] for name in cut], self._points, strict=True))
        for dims, number, amount in self._weighed:
            key = (*[dims.get(name) for name in cut], number)
            table[key] = table.get(key, 0) + amount
        return table


@lru_cache(maxsize=10_000)
def _finest_first(cuts: tuple[Cut, ...]) -> tuple[tuple[Cut, tuple[Cut, ...]], ...]:
    """Each cut after all that are finer, with those."""
    ordered = sorted(cuts, key=len, reverse=True)
    return tuple((cut, tuple(other for other in ordered if set(cut) < set(other))) for cut in ordered)


def _without_others(table: Table, kept: Sequence[int]) -> Table:
    """Sums over all but the dimensions at these places."""
    pick: Callable[[tuple[Any, ...]], tuple[Any, ...]] = itemgetter(*kept, -1) if kept else itemgetter(slice(-1, None))
    coarser: Table = {}
    for key, amount in table.items():
        left = pick(key)
        coarser[left] = coarser.get(left, 0) + amount
    return coarser
