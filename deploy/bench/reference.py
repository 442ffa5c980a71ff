"""What must be counted: a plain fold of the events as they were made. Imports nothing of ours, on purpose.

A cell is a cut (names of dimensions), values of these, and a day or month; what it holds are sums by name.
"""

import json
from collections import defaultdict
from collections.abc import Iterable

Cell = tuple[tuple[str, ...], tuple[str, ...], str]
Sums = dict[str, int]

DIMENSIONS = ("campaign", "channel", "grade", "industry", "mode", "product_line", "region", "source")
RESPONSE_CUTS: tuple[tuple[str, ...], ...] = (
    (),
    *((name,) for name in DIMENSIONS),
    *((name, "source") for name in DIMENSIONS if name != "source"),
    ("grade", "region"),
    ("product_line", "region"),
)
ANSWER_CUTS = (("question",), ("question", "source"))


def subjects(events: Iterable[bytes]) -> set[str]:
    """Whom there must be a document of."""
    return {json.loads(event)["subject"] for event in events}


def expected(events: Iterable[bytes]) -> dict[Cell, Sums]:
    """Responses and their index by day and month in every cut, answers by rating for each question."""
    days: dict[Cell, Sums] = defaultdict(lambda: defaultdict(int))
    for event in map(json.loads, events):
        day, said = event["time"][:10], event["data"]
        dims = {**said["dims"], "mode": said["mode"], "campaign": said["campaignId"]}
        for cut in RESPONSE_CUTS:
            sums = days[cut, tuple([dims[name] for name in cut]), day]
            sums["n"] += 1
            sums[f"index:{said['scoring']}"] += 1
            sums[f"sum:{said['scoring']}"] += said["index"]
        for answer in said["answers"]:
            low, high = answer["scale"]
            rating = f"{answer['metric']}:{low}~{high}:{answer['value']}"
            days[("question",), (answer["question"],), day][rating] += 1
            days[("question", "source"), (answer["question"], dims["source"]), day][rating] += 1
    return with_months(days)


def with_months(days: dict[Cell, Sums]) -> dict[Cell, Sums]:
    """The cells of days, and of the months that they add up to."""
    found: dict[Cell, Sums] = defaultdict(lambda: defaultdict(int))
    for (cut, values, day), sums in days.items():
        for name, amount in sums.items():
            found[cut, values, day][name] += amount
            found[cut, values, day[:7]][name] += amount
    return {cell: dict(sums) for cell, sums in found.items()}
