"""Churn: who was active at the start of a period and is not at its end, and whose revenue went (METRICS D16, D17)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from services.reporting.metrics.complaints import share
from services.reporting.metrics.metric import (
    FIRST_DAY,
    NOTHING,
    STANDARD_PERIODS,
    Answer,
    Metric,
    Narrowing,
    Range,
    Tally,
    Window,
    only,
    period_around,
)
from shared.plumbing.projection import Entry, Fact, Point, days_after

Interval: TypeAlias = tuple[str, str]
"""Days at whose first instant something holds: from the first (included) to the second (excluded)."""

NEVER = "~"
"""End of what is open; sorts after every day."""


class Activity:
    """When a customer is active (a contract, or an order within the dormancy), and the contracts' monthly revenue.

    Points: `active` ±1 and `revenue:CUR` ± at boundaries, so that sums up to a day tell what holds at its first
    instant; `lost:kind` and `gone:kind:CUR` on the first day of each month, quarter and year at whose start the
    customer was active (within the cut) and at whose end not at all.
    """

    name = "activity"
    rows = None

    def __init__(self, dormancy_days: int) -> None:
        self._dormancy_days = dormancy_days

    def entries(self, fact: Fact) -> Sequence[Entry]:
        signed = [(item["dims"], item) for item in fact["contracts"].values() if item["start"] is not None]
        return [*signed, *((order["dims"], order) for order in fact["orders"].values())]

    def points(self, part: Sequence[Entry], whole: Fact) -> Iterable[Point]:
        points: list[Point] = []
        active = self.active(part)
        for start, end in active:
            points.append(("active", start, 1))
            if end != NEVER:
                points.append(("active", end, -1))
        for currency, day, amount in revenue_steps(part):
            points.append((f"revenue:{currency}", day, amount))
        everything = self.active(self.entries(whole))
        lost = {
            (kind, *period_around(kind, days_after(end, -1)))
            for _, end in everything
            if end != NEVER
            for kind in STANDARD_PERIODS
        }
        for kind, start, end in sorted(lost):
            if holds_at(active, start) and not holds_at(everything, end):
                points.append((f"lost:{kind}", start, 1))
                for currency, amount in revenue_at(part, start).items():
                    points.append((f"gone:{kind}:{currency}", start, amount))
        return points

    def active(self, part: Sequence[Entry]) -> list[Interval]:
        """Union of contracts and of the time after each order, as disjoint intervals."""
        intervals = []
        for _, item in part:
            if "start" in item:
                intervals.append((item["start"], item["end"] or NEVER))
            else:
                intervals.append((item["active"], days_after(item["active"], self._dormancy_days)))
        joined: list[Interval] = []
        for start, end in sorted(intervals):
            if start >= end:
                continue
            if joined and start <= joined[-1][1]:
                joined[-1] = joined[-1][0], max(joined[-1][1], end)
            else:
                joined.append((start, end))
        return joined

    def weigh(self, part: Sequence[Entry], whole: Fact, window: Window) -> Tally:
        """One customer in any window with both ends: active at the start, lost by the end, with the revenue."""
        if window.start is None or window.end is None or not holds_at(self.active(part), window.start):
            return {}
        gone = not holds_at(self.active(self.entries(whole)), window.end)
        tally: Tally = {"start": 1, "lost": int(gone)}
        for currency, amount in revenue_at(part, window.start).items():
            tally[f"start:{currency}"] = amount
            if gone:
                tally[f"lost:{currency}"] = amount
        return tally


def holds_at(intervals: Sequence[Interval], day: str) -> bool:
    """Whether one of the intervals holds at the first instant of the day (start ≤ t < end)."""
    return any(start <= day < end for start, end in intervals)


def revenue_steps(part: Sequence[Entry]) -> Iterable[tuple[str, str, int]]:
    """(currency, day, difference) for every change of a contract's monthly amount while it runs."""
    for _, item in part:
        if "start" not in item:
            continue
        start, end = item["start"], item["end"] or NEVER
        if start >= end:
            continue
        amount = 0
        for day, present in amounts_in_force(item):
            if day >= end:
                break
            if present != amount:
                yield item["currency"], day, present - amount
                amount = present
        if end != NEVER and amount:
            yield item["currency"], end, -amount


def amounts_in_force(contract: Fact) -> list[tuple[str, int]]:
    """(day, monthly amount from then on), ascending from the contract's start."""
    start = contract["start"]
    steps = {start: contract["amount"]}
    for day, amount in sorted(contract["changed"].items()):
        steps[max(day, start)] = amount
    return sorted(steps.items())


def revenue_at(part: Sequence[Entry], day: str) -> dict[str, int]:
    """Monthly revenue at the first instant of a day, by currency."""
    revenue: dict[str, int] = {}
    for currency, changed, amount in revenue_steps(part):
        if changed <= day:
            revenue[currency] = revenue.get(currency, 0) + amount
    return {currency: amount for currency, amount in revenue.items() if amount}


def ranges(window: Window) -> Mapping[str, Range] | None:
    """Active at the start = all boundaries up to it; lost is ready for standard periods alone."""
    if window.start is None or window.standard is None:
        return None
    return {"until": (FIRST_DAY, days_after(window.start, 1)), "at": only(window.start)}


def gather(sums: Mapping[str, Tally], window: Window) -> Tally:
    kind = window.standard
    tally: Tally = {"start": sums["until"].get("active", 0), "lost": sums["at"].get(f"lost:{kind}", 0)}
    for name, amount in sums["until"].items():
        if name.startswith("revenue:"):
            tally[f"start:{name.removeprefix('revenue:')}"] = amount
    for name, amount in sums["at"].items():
        if name.startswith(f"gone:{kind}:"):
            tally[f"lost:{name.removeprefix(f'gone:{kind}:')}"] = amount
    return tally


def needs_a_period(window: Window) -> str | None:
    if window.start is None or window.end is None:
        return "churn is told between two days: give from and to"
    return None


def revenue_answer(tally: Tally, narrowing: Narrowing) -> Answer:
    """D17: revenue of lost customers ÷ revenue at the start, in one currency."""
    start = {name[6:]: amount for name, amount in sorted(tally.items()) if name.startswith("start:") and amount}
    lost = {currency: tally.get(f"lost:{currency}", 0) for currency in start}
    n = tally.get("start", 0)
    more = {"amounts": {"lost": lost, "start": start}}
    if not start:
        return Answer(None, n, reason=NOTHING, more=more)
    if len(start) > 1:
        return Answer(None, n, reason="amounts in several currencies are never added: narrow the cut", more=more)
    currency = next(iter(start))
    if start[currency] <= 0:
        return Answer(None, n, reason="the revenue at the start is not above zero", more=more)
    return Answer(100 * lost[currency] / start[currency], n, tally.get("lost", 0), more=more)


def metrics(family: Activity, projection: str, z: float) -> tuple[Metric, ...]:
    """The metrics of this theme."""
    return (
        Metric(
            "logo_churn",
            "Customer churn",
            "客户流失率",
            "percent",
            "D16",
            "of customers active at the start of the period: inactive at its end; within a cut: active in it at the "
            "start, not active at all at the end",
            projection,
            family,
            family.weigh,
            share("lost", "start", z),
            ranges,
            gather,
            needs_a_period,
        ),
        Metric(
            "revenue_churn",
            "Revenue churn",
            "收入流失率",
            "percent",
            "D17",
            "monthly revenue of lost customers at the start of the period ÷ monthly revenue of all at the start",
            projection,
            family,
            family.weigh,
            revenue_answer,
            ranges,
            gather,
            needs_a_period,
        ),
    )
