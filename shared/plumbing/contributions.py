"""What the facts of one batch add to cells, and how it is spread over the cuts."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from shared.plumbing.cells import CellKey, Cuts, Sums, parts
from shared.plumbing.projection import Cut, Entry, Fact, Family, Point, Values
from shared.plumbing.rows import Rows


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
        placed = [(day, _placed(family, name, bucket)) for (family, day), name, bucket in self._rows.points]
        for cut, sums in self._rows.sums(self._cuts.dimensions, self._cuts.within):
            for values, point, amount in sums:
                self._place(cut, values, *placed[point], amount)
        self._rows = Rows()
        return self._cells

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
        cells = self._cells.get(day)
        if cells is None:
            cells = self._cells[day] = {}
        key = (cut, month, values)
        sums = cells.get(key)
        if sums is None:
            sums = cells[key] = {}
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
