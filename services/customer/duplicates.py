"""Finding files about the same customer: beside one that is being opened, and over the whole stock."""

import itertools
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pymongo import UpdateOne

from services.customer.desk import STORED
from services.customer.model.customer import Customer
from services.customer.model.likeness import Likeness, compared, likeness, marks
from services.customer.model.telling_apart import pair_id, pair_of
from shared.plumbing.journal import Ledger
from shared.policy.policies import Policies

LARGEST_BLOCK = 50
"""More files than this with one mark tell nothing: a switchboard's number, a business park's address."""
PAIRS_AT_ONCE = 1_000


@dataclass(frozen=True)
class Thresholds:
    """From `shown` percent on a pair is a candidate, from `refused` on a new file is not opened."""

    shown: int
    refused: int

    @classmethod
    def of(cls, policies: Policies, on: date) -> "Thresholds":
        """As in force on a day. Raises LimitUnset."""
        return cls(
            policies.value("duplicate.score.shown", on).value, policies.value("duplicate.score.refused", on).value
        )


@dataclass(frozen=True)
class Candidate:
    """A file that may be about the same customer."""

    customer: Customer
    likeness: Likeness


@dataclass
class Scanned:
    """What a scan of the stock saw; `skipped` counts the marks that too many files share."""

    blocks: int = 0
    skipped: int = 0
    pairs: int = 0
    candidates: int = 0


class Duplicates:
    """Pairs of files that may be one; `duplicates` keeps them as `{_id: a|b, a, b, score, reasons}` with a < b."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._customers = ledger.database["customers"]
        self._pairs = ledger.database["duplicates"]

    async def prepare(self) -> None:
        """Indexes; safe to repeat."""
        await self._customers.create_index("marks")
        await self._pairs.create_index([("score", -1), ("_id", 1)])
        for side in ("a", "b"):
            await self._pairs.create_index(side)

    async def like(self, fields: Mapping[str, Any], itself: str, shown: int) -> list[Candidate]:
        """Files like these fields, the most alike first; `itself` is left out."""
        wanted = self._ledger.tags(marks(fields))
        query = {"marks": {"$in": wanted}, "_id": {"$ne": itself}}
        found = await self._customers.find(query).limit(LARGEST_BLOCK * max(len(wanted), 1)).to_list()
        heads = [one.state for one in await self._ledger.read_heads(STORED, found)]
        candidates = [Candidate(head, likeness(fields, compared(head))) for head in heads if head is not None]
        alike = [one for one in candidates if one.likeness.score >= shown]
        return sorted(alike, key=lambda one: (-one.likeness.score, one.customer.customer_id))

    async def note(self, itself: str, candidates: Sequence[Candidate]) -> None:
        """Keep the pairs for somebody to decide on."""
        await self.keep({(itself, one.customer.customer_id): one.likeness for one in candidates})

    async def scan(self, shown: int) -> Scanned:
        """Compare every two files that share a mark, and keep the alike pairs; may be repeated at any time."""
        scanned = Scanned()
        seen: set[tuple[str, str]] = set()
        waiting: list[tuple[str, str]] = []
        async for block in self._blocks():
            scanned.blocks += 1
            if len(block) > LARGEST_BLOCK:
                scanned.skipped += 1
                continue
            for pair in itertools.combinations(sorted(block), 2):
                if pair not in seen:
                    seen.add(pair)
                    waiting.append(pair)
            if len(waiting) >= PAIRS_AT_ONCE:
                scanned.candidates += await self._compare(waiting, shown)
                waiting = []
        scanned.candidates += await self._compare(waiting, shown)
        scanned.pairs = len(seen)
        return scanned

    async def _blocks(self) -> AsyncIterator[list[str]]:
        pipeline: list[dict[str, Any]] = [
            {"$match": {"marks.0": {"$exists": True}}},
            {"$project": {"marks": 1}},
            {"$unwind": "$marks"},
            {"$group": {"_id": "$marks", "ids": {"$firstN": {"input": "$_id", "n": LARGEST_BLOCK + 1}}}},
            {"$match": {"ids.1": {"$exists": True}}},
        ]
        async for group in await self._customers.aggregate(pipeline, allowDiskUse=True):
            yield group["ids"]

    async def _compare(self, pairs: Collection[tuple[str, str]], shown: int) -> int:
        wanted = sorted({one for pair in pairs for one in pair})
        documents = await self._customers.find({"_id": {"$in": wanted}}).to_list()
        states = [one.state for one in await self._ledger.read_heads(STORED, documents)]
        heads = {one.customer_id: compared(one) for one in states if one is not None}
        alike = {}
        for a, b in pairs:
            if a in heads and b in heads and (found := likeness(heads[a], heads[b])).score >= shown:
                alike[a, b] = found
        await self.keep(alike)
        return len(alike)

    async def keep(self, alike: Mapping[tuple[str, str], Likeness]) -> None:
        """Keep pairs of files, in whichever order each is named."""
        operations = [
            UpdateOne(
                {"_id": pair_id(a, b)},
                {"$set": {"a": a, "b": b, "score": found.score, "reasons": list(found.reasons)}},
                upsert=True,
            )
            for (a, b), found in ((pair_of(*pair), found) for pair, found in alike.items())
        ]
        if operations:
            await self._pairs.bulk_write(operations, ordered=False)
