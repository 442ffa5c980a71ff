"""What the facts of one batch add to cells, and how it is spread over the cuts."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from shared.plumbing.cells import CellKey, Cuts, Sums, merge, parts
from shared.plumbing.projection import Cut, Entry, Fact, Family, Point, Values
from shared.plumbing.rows import Rows, Summed


class Contributions:
    """What facts add to the cells of one shard, by day of recording, gathered until it is spread over the cuts.

    Parts that may be counted one by one are kept as rows and counted together, cut by cut. Parts that must be seen
    together (an order of a customer beside the others) are spread at once.
    """

    def __init__(self, cuts: Cuts) -> None:
        self._cuts = cuts
        self._rows = Rows()
        self._cells: dict[str, dict[CellKey, Sums]] = {}

    def add(self, families: Sequence[Family], fact: Fact, day: str, sign: int) -> None:
        """Add (`sign` 1) or take away (−1) what the fact counts, as recorded on a day."""
        for family in families:
            if family.rows is not None:
                self._rows.add((family.name, day), *family.rows(fact), sign)
                continue
            entries = family.entries(fact)
            if len(entries) == 1:
                rows = [(((), name, bucket), amount) for name, bucket, amount in family.points(entries, fact)]
                self._rows.add((family.name, day), entries[0][0], rows, sign)
            elif entries:
                self._add_together(family, entries, fact, day, sign)

    def cells(self) -> dict[str, dict[CellKey, Sums]]:
        """All of it, spread over every declared cut: by day of recording, by cell."""
        placed = [(day, *_placed(family, name, bucket)) for (family, day), name, bucket in self._rows.points]
        months = _Paths([(day, month, path) for day, month, path, _ in placed])
        days = _Paths([None if path is None else (day, month, path) for day, month, _, path in placed])
        for cut, summed in self._rows.sums(self._cuts.dimensions, self._cuts.within):
            for paths in (months, days):
                for day, key, sums in paths.filled(cut, summed):
                    self._put(day, key, sums)
        self._rows = Rows()
        return self._cells

    def _put(self, day: str, key: CellKey, sums: Sums) -> None:
        cells = self._cells.setdefault(day, {})
        known = cells.get(key)
        if known is None:
            cells[key] = sums
        elif known.keys().isdisjoint(sums):
            known.update(sums)
        else:
            merge(cells, key, sums)

    def _add_together(self, family: Family, entries: Sequence[Entry], fact: Fact, day: str, sign: int) -> None:
        all_of_it: list[tuple[_Placed, int]] | None = None
        for cut in self._cuts.within(frozenset().union(*[dims for dims, _ in entries])):
            for values, part in parts(entries, cut).items():
                if len(part) < len(entries):
                    points = _all_placed(family.name, family.points(part, fact))
                else:
                    points = all_of_it = all_of_it or _all_placed(family.name, family.points(entries, fact))
                for placed, amount in points:
                    self._place(cut, values, day, placed, sign * amount)

    def _place(self, cut: Cut, values: Values, day: str, placed: "_Placed", amount: int) -> None:
        month, month_path, day_path = placed
        sums = self._cells.setdefault(day, {}).setdefault((cut, month, values), {})
        sums[month_path] = sums.get(month_path, 0) + amount
        if day_path is not None:
            sums[day_path] = sums.get(day_path, 0) + amount


class _Paths:
    """Where points are summed: paths in the order of the cells that they stand in."""

    def __init__(self, places: Sequence[tuple[str, str, str] | None]) -> None:
        """`places` are day of recording, month and path of each point, None where it has none here."""
        known = sorted({place for place in places if place is not None})
        numbers = {place: number for number, place in enumerate(known)}
        self._cells = list(dict.fromkeys((day, month) for day, month, _ in known))
        cells = {cell: number for number, cell in enumerate(self._cells)}
        self._of_points = np.array([-1 if place is None else numbers[place] for place in places], np.int64)
        self._cell_of = np.array([cells[day, month] for day, month, _ in known], np.int64)
        self._paths = np.array([path for _, _, path in known], object)

    def filled(self, cut: Cut, summed: Summed) -> Iterator[tuple[str, CellKey, Sums]]:
        """Day of recording, key and sums of every cell of the cut."""
        found = summed.under(self._of_points, len(self._paths))
        cells = self._cell_of[found.points]
        starts = np.flatnonzero(np.diff(found.parts, prepend=-1) | np.diff(cells, prepend=-1))
        bounds = [*starts.tolist(), len(cells)]
        paths, amounts = self._paths[found.points].tolist(), found.amounts.tolist()
        places = zip(found.parts[starts].tolist(), cells[starts].tolist(), pairwise(bounds), strict=True)
        for part, cell, (start, end) in places:
            day, month = self._cells[cell]
            yield day, (cut, month, summed.values[part]), dict(zip(paths[start:end], amounts[start:end], strict=True))


_Placed: TypeAlias = tuple[str, str, str | None]
"""Month, path of the month's sum, path of the day's (None: counted by month alone)."""


def _placed(family: str, name: str, bucket: str) -> _Placed:
    month = bucket[5:7]
    day_path = f"{family}.d.{month}{bucket[8:]}.{name}" if len(bucket) == 10 else None
    return bucket[:7], f"{family}.m.{month}.{name}", day_path


def _all_placed(family: str, points: Iterable[Point]) -> list[tuple[_Placed, int]]:
    return [(_placed(family, name, bucket), amount) for name, bucket, amount in points]
