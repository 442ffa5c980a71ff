"""Every reference figure of every tape, reckoned here from the raw files by the definitions of METRICS.

The answers are put into the shape of reporting's API and compared by the tapes' own code, so that also a mistyped
metric, group or pick is found.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from math import sqrt
from statistics import median
from typing import Any

import pytest

from deploy.tapes.figures import compare
from deploy.tapes.tape import Query, load_tape
from tests.unit.test_tape_facts import READERS, TAPES, Facts, events_of, facts_of, raw_facts

Z = 1.959963984540054
Dims = dict[str, str]
Cell = dict[str, Any]
HOUR = 3600


def percent(count: int, n: int) -> Cell:
    """Percentage with its Wilson interval (D1)."""
    p, z2 = count / n, Z * Z
    middle, half = (p + z2 / (2 * n)) / (1 + z2 / n), Z * sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return {"value": 100 * p, "n": n, "count": count, "interval": [100 * (middle - half), 100 * (middle + half)]}


def amount_of(value: int) -> Cell:
    """Every currency is answered alike here; the real one is checked where the events are."""
    return dict.fromkeys(("USD", "GBP", "BRL", "CNY"), value)


def orders(facts: Facts, start: datetime, end: datetime, _: str) -> list[tuple[Any, Dims]]:
    return [(o, {"region": o[4]}) for o in facts.orders if start <= o[2] < end]


def answers(facts: Facts, start: datetime, end: datetime, source: str) -> list[tuple[Any, Dims]]:
    return [(a, a[8]) for a in facts.answers if a[0] == source and start <= a[3] < end]


def contracts(facts: Facts, start: datetime, end: datetime, source: str) -> list[tuple[Any, Dims]]:
    """Active at the start; with whether they are lost by the end."""
    return [
        ((c[3], c[2] is not None and c[2] <= end), c[4])
        for c in facts.contracts.values()
        if c[0] == source and c[1] <= start and (c[2] is None or start < c[2])
    ]


def opened(facts: Facts, start: datetime, end: datetime, _: str) -> list[tuple[Any, Dims]]:
    return [(c, {"channel": c[1]}) for c in facts.cases.values() if start <= c[0] < end]


def closed(facts: Facts, start: datetime, end: datetime, _: str) -> list[tuple[Any, Dims]]:
    last = [max((s for s in c[2] if s[1] == "closed"), key=lambda s: (s[0], s[2])) for c in facts.cases.values()]
    return [(s, {"priority": s[4]}) for s in last if start <= s[0] < end]


def days_of(found: Iterable[Any]) -> dict[str, set[Any]]:
    days = defaultdict(set)
    for order in found:
        days[order[1]].add(order[2].date())
    return days


def repurchase(found: list[Any]) -> Cell:
    days = days_of(found)
    return percent(sum(len(d) > 1 for d in days.values()), len(days))


def ratings(found: list[Any]) -> Cell:
    values = [a[4] for a in found]
    counts = {str(value): count for value, count in Counter(values).items()}
    return {"value": sum(values) / len(values), "n": len(values), "counts": counts}


def csat(found: list[Any]) -> Cell:
    """Top two on four- to seven-point scales (D1)."""
    assert {a[5] for a in found} == {(1, 5)}
    return percent(sum(a[4] >= 4 for a in found), len(found))


def nps(found: list[Any]) -> Cell:
    """Adjusted Wald: three more answers, three quarters of one at each end (D2)."""
    n, promoters, detractors = len(found), sum(a[4] >= 9 for a in found), sum(a[4] <= 6 for a in found)
    p, d = (promoters + 0.75) / (n + 3), (detractors + 0.75) / (n + 3)
    half = Z * sqrt((p + d - (p - d) ** 2) / (n + 3))
    interval = [100 * (p - d - half), 100 * (p - d + half)]
    return {"value": 100 * (promoters - detractors) / n, "n": n, "interval": interval}


def index(found: list[Any]) -> Cell:
    """Weighted within a response, then the mean over responses (D3)."""
    weights: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for a in found:
        (low, high), weight, scoring = a[5:8]
        score = a[4] / high if scoring == "ratio_to_max" else (a[4] - low) / (high - low)
        weights[a[1]].append((100 * score, weight))
    means = [sum(s * w for s, w in items) / sum(w for _, w in items) for items in weights.values()]
    return {"value": sum(means) / len(means), "n": len(means)}


def revenue(found: list[Any]) -> Cell:
    start, lost = sum(amount for amount, _ in found), sum(amount for amount, gone in found if gone)
    return {"value": 100 * lost / start, "amounts": {"lost": amount_of(lost), "start": amount_of(start)}}


def reopened(found: list[Any]) -> Cell:
    """First resolved, and reopened within 30 days of that (D15)."""
    count = n = 0
    for case in found:
        first = [s[0] for s in case[2] if s[1] == "resolved"]
        again = [s[0] for s in case[2] if s[2] > 0]
        n += bool(first)
        count += bool(first and again and min(again) - min(first) <= timedelta(days=30))
    return percent(count, n)


def resolution(found: list[Any]) -> Cell:
    """Opening to final resolving at a known time, in hours (D13)."""
    ends = [(c[0], [s[0] for s in c[2] if s[1] == "resolved" and s[3]]) for c in found]
    hours = [(max(times) - start).total_seconds() / HOUR for start, times in ends if times]
    return {"value": median(hours), "n": len(hours)}


def number(value: int) -> Cell:
    return {"value": value, "n": value}


Slice = Callable[[Facts, datetime, datetime, str], list[tuple[Any, Dims]]]
METRICS: dict[str, tuple[Slice, Callable[[list[Any]], Cell]]] = {
    "purchases": (orders, lambda f: {**number(len(f)), "amounts": amount_of(sum(o[3] for o in f))}),
    "purchase_days": (orders, lambda f: number(sum(map(len, days_of(f).values())))),
    "repeat_purchases": (orders, lambda f: number(sum(len(d) - 1 for d in days_of(f).values()))),
    "repurchase_rate": (orders, repurchase),
    "responses": (answers, lambda f: number(len({a[1] for a in f}))),
    "rating_mean": (answers, ratings),
    "ces": (answers, ratings),
    "csat": (answers, csat),
    "nps": (answers, nps),
    "satisfaction_index": (answers, index),
    "logo_churn": (contracts, lambda f: percent(sum(lost for _, lost in f), len(f))),
    "revenue_churn": (contracts, revenue),
    "complaints_opened": (opened, lambda f: number(len(f))),
    "cases_reopened": (opened, lambda f: number(sum(any(s[2] > 0 for s in c[2]) for c in f))),
    "reopen_rate": (opened, reopened),
    "resolution_time": (opened, resolution),
    "sla_kept": (closed, lambda f: percent(sum(s[5] for s in f), len(f))),
}


def reckon(query: Query, facts: Facts) -> Cell:
    start, end = (datetime.fromisoformat(query.params[name]) for name in ("from", "to"))
    take, reckon_cell = METRICS[query.metric]
    found = take(facts, start, end, query.params["where.source"])
    groups = defaultdict(list)
    by = query.params["by"].split(",") if "by" in query.params else []
    for fact, dims in found:
        groups[tuple((name, dims[name]) for name in by)].append(fact)
    cells = [{"dims": dict(key), **reckon_cell(members)} for key, members in groups.items()] if by else []
    return {"total": decimal(reckon_cell([fact for fact, _ in found])), "groups": decimal(cells)}


def decimal(value: Any) -> Any:
    """Floats as the JSON reader of the tapes gives them."""
    if isinstance(value, dict):
        return {name: decimal(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [decimal(inner) for inner in value]
    return Decimal(repr(value)) if isinstance(value, float) else value


@pytest.mark.parametrize("tape", TAPES)
def test_every_reference_figure_follows_from_the_raw_files(tape: str) -> None:
    facts = raw_facts(tape) if tape in READERS else facts_of(events_of(tape))
    figures = [
        compare(tape, query.basis, reference, reckon(query, facts))
        for query in load_tape(tape).references
        for reference in query.figures
    ]
    assert figures
    assert [(f.figure, f.reference, f.manyi, f.problem) for f in figures if not f.equal] == []


@pytest.mark.parametrize("tape", TAPES)
def test_references_of_a_tape_are_distinct_and_its_periods_run_forward(tape: str) -> None:
    queries = load_tape(tape).references
    asked = [(q.metric, tuple(q.params.items()), r.pick, tuple(r.group.items())) for q in queries for r in q.figures]
    assert all(a != b for a, b in pairwise(sorted(asked)))
    assert all(q.params["from"] < q.params["to"] for q in queries)
    assert {q.params["where.source"] for q in queries} <= set(load_tape(tape).sources)
