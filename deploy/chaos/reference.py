"""What the numbers must be: a plain fold of the ledger of acknowledged calls. Imports nothing of ours, on purpose.

`expected(path, today)` answers, for every question that is asked of reporting, {group: figures}; the total's group is
the empty one. All calls of a run are recorded within days of `today`, so as of a month before nothing is known.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

Call = dict[str, Any]
Figures = dict[str, int]
Answer = dict[str, Figures]
WINDOW = ("2026-02-01", "2026-04-01")
LOW = 2


def calls_told(calls: list[Call]) -> Figures:
    return {"n": len(calls)}


def csat(calls: list[Call]) -> Figures:
    return {"n": len(calls), "count": sum(call["value"] >= 4 for call in calls)}


def ratings(calls: list[Call]) -> Figures:
    found = {"n": len(calls)}
    if calls:
        found["sum"] = sum(call["value"] for call in calls)
    return found


def purchases(calls: list[Call]) -> Figures:
    return {"n": len(calls), "amount": sum(call["amount"] for call in calls)}


def purchase_days(calls: list[Call]) -> Figures:
    return {"n": len({(call["customer"], call["day"]) for call in calls})}


def repeat_purchases(calls: list[Call]) -> Figures:
    days = {(call["customer"], call["day"]) for call in calls}
    buyers = {call["customer"] for call in calls}
    return {"n": len(buyers), "count": len(days) - len(buyers)}


Metric = Callable[[list[Call]], Figures]
METRICS: dict[str, tuple[str, Metric, str]] = {
    "responses": ("response", calls_told, "region"),
    "csat": ("response", csat, "region"),
    "rating_mean": ("response", ratings, "region"),
    "purchases": ("order", purchases, "region"),
    "purchase_days": ("order", purchase_days, "region"),
    "repeat_purchases": ("order", repeat_purchases, "region"),
    "complaints_opened": ("complaint", calls_told, "category"),
}
"""Metric: kind of the calls it counts, its formula, the dimension it is asked by."""


def expected(path: Path, today: str) -> dict[str, Answer]:
    """Question, as in the URL of reporting, → answer."""
    calls = valid(json.loads(line) for line in path.read_text().splitlines())
    before = (date.fromisoformat(today) - timedelta(days=30)).isoformat()
    later = (date.fromisoformat(today) + timedelta(days=30)).isoformat()
    answers: dict[str, Answer] = {}
    for name, (kind, formula, dimension) in METRICS.items():
        known = calls[kind]
        answers[f"{name}?by={dimension}"] = grouped(known, formula, dimension)
        answers[f"{name}?by={dimension}&as_of={later}"] = grouped(known, formula, dimension)
        answers[f"{name}?by={dimension}&as_of={before}"] = grouped([], formula, dimension)
        if kind != "complaint":
            inside = [call for call in known if WINDOW[0] <= call["day"] < WINDOW[1]]
            answers[f"{name}?by={dimension}&from={WINDOW[0]}&to={WINDOW[1]}"] = grouped(inside, formula, dimension)
    return answers


def valid(ledger: Iterable[Call]) -> dict[str, list[Call]]:
    """Every call once, whatever was told how often; an order that was cancelled, before or after, is none.

    A response with a low value opens a complaint of its own.
    """
    once = {(call["kind"], call["id"]): call for call in ledger}
    cancelled = {identifier for kind, identifier in once if kind == "cancel"}
    calls: dict[str, list[Call]] = defaultdict(list)
    for (kind, identifier), call in once.items():
        if kind != "order" or identifier not in cancelled:
            calls[kind].append(call)
    calls["complaint"] += [{"category": "low_score"} for call in calls["response"] if call["value"] <= LOW]
    return calls


def grouped(calls: list[Call], formula: Metric, dimension: str) -> Answer:
    groups = {call[dimension] for call in calls}
    answer = {group: formula([call for call in calls if call[dimension] == group]) for group in groups}
    return {"": formula(calls), **answer}
