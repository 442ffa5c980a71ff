"""From a question to a number: from cells where the cut and the window are ready, else from the facts themselves.

Both ways end in the same tallies and the same formula. As of a day D: cells are what is known now less what was
recorded after D; facts are undone to the end of D.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from services.reporting.metrics.metric import Answer, Metric, Range, Tally, Window
from shared.plumbing.cells import Cuts, cut_of, parts
from shared.plumbing.projection import Cut, Fact, Projection, Values
from shared.plumbing.store import Cell, CellsWanted, Moment


@dataclass(frozen=True)
class Question:
    """One metric, over a window, as of a day (None: now), by some dimensions, where others have given values."""

    metric: Metric
    window: Window
    as_of: str | None = None
    by: Cut = ()
    where: Mapping[str, str] = field(default_factory=dict)
    exact: bool = False

    @property
    def narrowing(self) -> dict[str, str]:
        """Filters that the names of sums answer."""
        return {name: value for name, value in self.where.items() if name in self.metric.named}

    @property
    def filters(self) -> dict[str, str]:
        """Filters on dimensions."""
        return {name: value for name, value in self.where.items() if name not in self.metric.named}


@dataclass
class Group:
    """One value of the asked dimensions."""

    dims: dict[str, str]
    answer: Answer


@dataclass
class Number:
    """The answer to a question."""

    source: Literal["cells", "facts"]
    total: Answer
    groups: list[Group]


async def number(moment: Moment, projection: Projection, cuts: Cuts, question: Question) -> Number:
    """Compute the answer at one moment."""
    metric = question.metric
    refusal = metric.refuse(question.window)
    if refusal is not None:
        return Number("cells", Answer(None, 0, reason=refusal), [])
    total_cut, group_cut = cut_of(question.filters), cut_of((*question.filters, *question.by))
    ranges = metric.ranges(question.window)
    if ranges is not None and not question.exact and {total_cut, group_cut} <= cuts.declared:
        source: Literal["cells", "facts"] = "cells"
        found = await _from_cells(moment, question, {total_cut, group_cut}, ranges)
        totals, groups = found.get(total_cut, {}), found.get(group_cut, {})
    else:
        source = "facts"
        totals, groups = await _from_facts(moment, projection, question, total_cut, group_cut)
    total = next(iter(totals.values()), {})
    return Number(
        source,
        metric.answer(total, question.narrowing),
        _groups(question, group_cut, groups) if question.by else [],
    )


def _groups(question: Question, cut: Cut, tallies: Mapping[Values, Tally]) -> list[Group]:
    groups = []
    for values, tally in sorted(tallies.items()):
        answer = question.metric.answer(tally, question.narrowing)
        if answer.n or answer.more.get("unanswered"):
            dims = dict(zip(cut, values, strict=True))
            groups.append(Group({name: dims[name] for name in question.by}, answer))
    return groups


async def _from_cells(
    moment: Moment, question: Question, cuts: Collection[Cut], ranges: Mapping[str, Range]
) -> dict[Cut, dict[Values, Tally]]:
    metric = question.metric
    wanted = CellsWanted(
        metric.projection,
        metric.family.name,
        cuts,
        min(start for start, _ in ranges.values())[:7],
        max(end for _, end in ranges.values())[:7],
        [day[5:7] + day[8:] for range_ in ranges.values() for day in single_days(range_)],
    )
    sums = _added_up(await moment.cells(wanted, question.as_of), ranges)
    found: dict[Cut, dict[Values, Tally]] = {}
    for (cut, values), tallies in sums.items():
        if _matcher(cut, question.filters)(values):
            found.setdefault(cut, {})[values] = metric.gather(tallies, question.window)
    return found


def _added_up(
    cells: Iterable[tuple[Cell, int]], ranges: Mapping[str, Range]
) -> dict[tuple[Cut, Values], dict[str, Tally]]:
    """The sums of each range, by its word, of every part of every cut."""
    sums: dict[tuple[Cut, Values], dict[str, Tally]] = {}
    for cell, sign in cells:
        key = (cell.cut, cell.values)
        found = sums.get(key)
        if found is None:
            found = sums[key] = {word: {} for word in ranges}
        for word, (start, end) in ranges.items():
            into = found[word]
            for month, amounts in cell.months.items():
                if _whole(month, start, end):
                    _add(into, amounts, sign)
            for day, amounts in cell.days.items():
                if start <= day < end and not _whole(day[:7], start, end):
                    _add(into, amounts, sign)
    return sums


def _whole(month: str, start: str, end: str) -> bool:
    return start <= f"{month}-01" and f"{month}-99" < end


def single_days(range_: Range) -> list[str]:
    """Days that lie in a range while the whole of their month does not; some of them may be in no calendar."""
    start, end = range_
    broken = {bound[:7] for bound in range_ if bound[8:] not in ("00", "01", "99")}
    days = [f"{month}-{day:02}" for month in sorted(broken) for day in range(1, 32)]
    return [day for day in days if start <= day < end]


async def _from_facts(
    moment: Moment, projection: Projection, question: Question, total_cut: Cut, group_cut: Cut
) -> tuple[dict[Values, Tally], dict[Values, Tally]]:
    totals: dict[Values, Tally] = {}
    groups: dict[Values, Tally] = {}
    async for _, fact in moment.facts(projection.name, "", question.as_of):
        _weigh(question, total_cut, fact, totals)
        if question.by:
            _weigh(question, group_cut, fact, groups)
    return totals, groups


def _weigh(question: Question, cut: Cut, fact: Fact, into: dict[Values, Tally]) -> None:
    entries = question.metric.family.entries(fact)
    if not entries:
        return
    matches = _matcher(cut, question.filters)
    for values, part in parts(entries, cut).items():
        if matches(values):
            tally = question.metric.weigh(part, fact, question.window)
            if tally:
                _add(into.setdefault(values, {}), tally, 1)


def weights(question: Question, cut: Cut, fact: Fact) -> dict[Values, Tally]:
    """What one fact adds to each part of a cut that passes the filters."""
    into: dict[Values, Tally] = {}
    _weigh(question, cut, fact, into)
    return into


def weight(question: Question, fact: Fact) -> Tally:
    """What one fact adds to the answer; empty when it is not behind it."""
    found = weights(question, cut_of(question.filters), fact)
    return {name: amount for tally in found.values() for name, amount in tally.items() if amount}


def _matcher(cut: Cut, filters: Mapping[str, str]) -> Callable[[Values], bool]:
    """Whether the values of a cut pass the filters."""
    asked: Sequence[tuple[int, str]] = [(place, filters[name]) for place, name in enumerate(cut) if name in filters]
    return lambda values: all(values[place] == value for place, value in asked)


def _add(into: Tally, amounts: Mapping[str, int], sign: int) -> None:
    known = into.get
    for name, amount in amounts.items():
        into[name] = known(name, 0) + sign * amount
