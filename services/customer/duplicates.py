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
PAIRS_AT_ONCE, MARKS_AT_ONCE = 1_000, 500
Shared = tuple[bytes, str, str]
"""A mark and two files that have it."""
NOBODY: tuple[None, frozenset[bytes]] = (None, frozenset())


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
        return (await self.like_each([(itself, fields)], shown))[0]

    async def like_each(self, files: Sequence[tuple[str, Mapping[str, Any]]], shown: int) -> list[list[Candidate]]:
        """The same for each of several, as (itself, fields), with two queries and one look for keys for all."""
        tags = [set(self._ledger.tags(marks(fields))) for _, fields in files]
        blocks = await self._sharing(set().union(*tags))
        ids = {one for block in blocks.values() for one in block}
        heads = await self._heads(ids)
        found = []
        for (itself, fields), mine in zip(files, tags, strict=True):
            others = {one for tag in mine for one in blocks.get(tag, ())} - {itself}
            states = [heads[one][0] for one in others if one in heads]
            candidates = [Candidate(state, likeness(fields, compared(state))) for state in states]
            alike = [one for one in candidates if one.likeness.score >= shown]
            found.append(sorted(alike, key=lambda one: (-one.likeness.score, one.customer.customer_id)))
        return found

    async def _sharing(self, tags: Collection[bytes]) -> dict[bytes, list[str]]:
        """Files by the mark that they have, of each mark a block at the most: a frequent one tells nothing anyway."""
        if not tags:
            return {}
        few: list[dict[str, Any]] = [{"$limit": LARGEST_BLOCK + 1}, {"$project": {"_id": 1}}]
        files = {"from": "customers", "localField": "tag", "foreignField": "marks", "pipeline": few, "as": "files"}
        wanted = [{"tag": tag} for tag in tags]
        cursor = await self._ledger.database.aggregate([{"$documents": wanted}, {"$lookup": files}])
        return {one["tag"]: [file["_id"] for file in one["files"]] async for one in cursor if one["files"]}

    async def _heads(self, ids: Collection[str]) -> dict[str, tuple[Customer, set[bytes]]]:
        """Files with their marks."""
        if not ids:
            return {}
        documents = await self._customers.find({"_id": {"$in": sorted(ids)}}).to_list()
        heads = zip(documents, await self._ledger.read_heads(STORED, documents), strict=True)
        return {stored["_id"]: (head.state, set(stored["marks"])) for stored, head in heads if head.state is not None}

    async def note(self, itself: str, candidates: Sequence[Candidate]) -> None:
        """Keep the pairs for somebody to decide on."""
        await self.keep({(itself, one.customer.customer_id): one.likeness for one in candidates})

    async def scan(self, shown: int) -> Scanned:
        """Compare every two files that share a mark, and keep the alike pairs; may be repeated at any time.

        Blocks come in the order of their marks, and a pair is compared with the first of those that its files share.
        So each is compared once, and nothing but the skipped marks has to be remembered.
        """
        scanned = Scanned()
        skipped: set[bytes] = set()
        waiting: list[Shared] = []
        async for counted in self._shared():
            scanned.blocks += len(counted)
            skipped |= {mark for mark, files in counted if files > LARGEST_BLOCK}
            blocks = await self._sharing([mark for mark, files in counted if files <= LARGEST_BLOCK])
            for mark in sorted(blocks):
                waiting += [(mark, a, b) for a, b in itertools.combinations(sorted(blocks[mark]), 2)]
                if len(waiting) >= PAIRS_AT_ONCE:
                    await self._compare(waiting, skipped, shown, scanned)
                    waiting = []
        await self._compare(waiting, skipped, shown, scanned)
        scanned.skipped = len(skipped)
        return scanned

    async def _shared(self) -> AsyncIterator[list[tuple[bytes, int]]]:
        """Marks that several files have, in their order, some hundred at a time, with how many have each.

        To count first takes a third of the work of gathering the files of every mark: nearly all of them have one.
        """
        pipeline: list[dict[str, Any]] = [
            {"$match": {"marks.0": {"$exists": True}}},
            {"$project": {"marks": 1}},
            {"$unwind": "$marks"},
            {"$group": {"_id": "$marks", "files": {"$sum": 1}}},
            {"$match": {"files": {"$gt": 1}}},
            {"$sort": {"_id": 1}},
        ]
        cursor = await self._customers.aggregate(pipeline, allowDiskUse=True)
        while counted := await cursor.to_list(MARKS_AT_ONCE):
            yield [(one["_id"], one["files"]) for one in counted]

    async def _compare(self, pairs: Sequence[Shared], skipped: set[bytes], shown: int, scanned: Scanned) -> None:
        heads = await self._heads({one for _, *pair in pairs for one in pair})
        alike = {}
        for mark, a, b in pairs:
            (one, tags), (other, tags_too) = heads.get(a, NOBODY), heads.get(b, NOBODY)
            # A mark that one of them has lost since is no longer among those they share: then they are not compared.
            if one is None or other is None or min((tags & tags_too) - skipped, default=None) != mark:
                continue
            scanned.pairs += 1
            if (found := likeness(compared(one), compared(other))).score >= shown:
                alike[a, b] = found
        scanned.candidates += len(alike)
        await self.keep(alike)

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
