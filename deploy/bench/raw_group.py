"""The same numbers without cells: one aggregation over all facts, as one would write it on plain documents."""

import time
from collections.abc import Mapping
from typing import Any

from deploy.bench.running import STANDING

RAW: dict[str, tuple[str, str, dict[str, Any]]] = {
    "responses": ("responses", "$fact.day", {}),
    "satisfaction_index": ("responses", "$fact.day", {"fact.index": {"$ne": None}}),
    "complaints_opened": ("cases", "$fact.day", {"fact.complaint": True}),
}
"""Metric → the projection whose facts it counts, the day it counts them on, and which of them.

Only what facts as they stand tell: these are never changed later in a way that moves the number, so that `born` is
enough for an answer as of a past day.
"""


def raw_group(database: Any, metric: str, params: Mapping[str, str]) -> tuple[float, dict[str, int]]:
    """Seconds it took, and n by value of the dimension asked by (`""` where none is)."""
    projection, day, which = RAW[metric]
    period = {"$gte": params["from"], "$lt": params["to"]}
    match: dict[str, Any] = {**which, day.removeprefix("$"): period}
    if "as_of" in params:
        match["born"] = {"$lte": params["as_of"]}
    by = f"$fact.dims.{params['by']}" if "by" in params else None
    sums = {"n": {"$sum": 1}, "sum": {"$sum": "$fact.index"}}
    began = time.perf_counter()
    found = list(
        database[f"{STANDING}.facts.{projection}"].aggregate([{"$match": match}, {"$group": {"_id": by, **sums}}])
    )
    taken = time.perf_counter() - began
    return taken, {group["_id"] or "": group["n"] for group in found}
