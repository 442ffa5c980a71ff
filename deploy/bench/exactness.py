"""Holding what a contestant wrote against the reference: documents lost and doubled, and cells that are wrong."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from pymongo.collection import Collection

from deploy.bench.reference import ANSWER_CUTS, RESPONSE_CUTS, Cell, Sums, with_months
from deploy.bench.running import STANDING
from shared.plumbing.database import open_client
from shared.plumbing.shelves_mongo import MongoShelves
from shared.plumbing.store import CellsWanted

Cells: TypeAlias = Mapping[Cell, Sums]
Documents: TypeAlias = Collection[dict[str, Any]]
CUTS = {"responses": RESPONSE_CUTS, "ratings": ANSWER_CUTS}
"""The families of sums that are compared, and in which cuts."""


@dataclass(frozen=True)
class Exactness:
    """How far what was written differs from what must be there."""

    lost: int
    """Events without a document."""
    doubled: int
    """Documents beyond one for each event."""
    wrong: int
    """Cells with other sums than the reference's; missing and needless ones are wrong, too."""


def exactness(copies: Mapping[str, int], subjects: set[str], found: Cells, expected: Cells) -> Exactness:
    """From the number of each subject's documents, and from the cells."""
    wrong = sum(found.get(cell) != expected.get(cell) for cell in found.keys() | expected.keys())
    return Exactness(len(subjects - copies.keys()), sum(copies.values()) - len(copies), wrong)


def copies(documents: Documents) -> dict[str, int]:
    """How many documents there are of each subject (blocking)."""
    key = {"$ifNull": ["$subject", "$_id"]}  # where MongoDB gave the id, the subject is a field
    return {group["_id"]: group["n"] for group in documents.aggregate([{"$group": {"_id": key, "n": {"$sum": 1}}}])}


def grouped(documents: Documents) -> dict[Cell, Sums]:
    """The cells of who keeps none: MongoDB groups the documents by every cut and day (blocking)."""
    days: dict[Cell, Sums] = defaultdict(dict)
    for cut in RESPONSE_CUTS:
        by = {"day": "$fact.day", "scoring": "$fact.scoring", **{name: f"$fact.dims.{name}" for name in cut}}
        sums = {"n": {"$sum": 1}, "sum": {"$sum": "$fact.index"}}
        for group in documents.aggregate([{"$group": {"_id": by, **sums}}]):
            key, scoring = group["_id"], group["_id"]["scoring"]
            cell = days[cut, tuple(key[name] for name in cut), key["day"]]
            cell["n"] = cell.get("n", 0) + group["n"]
            cell |= {f"index:{scoring}": group["n"], f"sum:{scoring}": group["sum"]}
    for cut in ANSWER_CUTS:
        by = {"day": "$fact.day", "question": "$fact.answers.question", "rating": "$fact.answers.rating"}
        by |= {name: f"$fact.dims.{name}" for name in cut if name != "question"}
        for group in documents.aggregate([{"$unwind": "$fact.answers"}, {"$group": {"_id": by, "n": {"$sum": 1}}}]):
            key = group["_id"]
            days[cut, tuple(key[name] for name in cut), key["day"]][key["rating"]] = group["n"]
    return with_months(days)


async def counted(documents: Documents, mongo: str, expected: Cells) -> dict[Cell, Sums]:
    """The cells that our service keeps beside these facts, summed over shards."""
    buckets = {bucket for _, _, bucket in expected}
    months = sorted(bucket for bucket in buckets if len(bucket) == len("2025-01"))
    days = {bucket[5:].replace("-", "") for bucket in buckets.difference(months)}
    found: dict[Cell, Sums] = defaultdict(lambda: defaultdict(int))
    client = open_client(mongo)
    try:
        shelves = MongoShelves(client, client[documents.database.name], name=STANDING)
        async with shelves.moment() as moment:
            for family, cuts in CUTS.items():
                wanted = CellsWanted("responses", family, cuts, months[0], months[-1], days)
                for cell, sign in await moment.cells(wanted, None):
                    for bucket, sums in [*cell.months.items(), *cell.days.items()]:
                        for name, amount in sums.items():
                            found[cell.cut, cell.values, bucket][name] += sign * amount
    finally:
        await client.close()
    return {cell: dict(sums) for cell, sums in found.items()}
