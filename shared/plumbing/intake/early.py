"""Records that came before what they refer to: kept, awakened by it, swept for what was missed."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pymongo import UpdateOne

from shared.contracts.envelope import moment_text
from shared.plumbing.database import Document
from shared.plumbing.hiding import open_payloads
from shared.plumbing.intake.deciding import decide_waiting
from shared.plumbing.intake.items import Item
from shared.plumbing.intake.reading import Reader
from shared.plumbing.intake.recording import Recorder, Tallies, wait_of
from shared.plumbing.journal import Draft, Ledger, Stale

SWEPT_AT_ONCE = 10_000
"""Early records looked at in one sweep; the next one goes on behind them, so that none is passed over for ever."""
AWAKENED_AT_ONCE = 1_000
"""Early records decided in one transaction, far below what a transaction may hold."""


class Early:
    """The early records of one service."""

    def __init__(self, ledger: Ledger, reader: Reader, recorder: Recorder) -> None:
        self._ledger = ledger
        self._database = ledger.database
        self._reader = reader
        self._recorder = recorder
        self._swept_to = ""

    async def waiting_for(self, items: Sequence[Item]) -> list[Item]:
        """What waits for the subjects that these events are about; where it is very much, the sweep finds the rest."""
        subjects = list({item.task.subject for item in items if item.task is not None and item.outcome == "accepted"})
        if not subjects:
            return []
        cursor = self._database["early"].find({"waits": {"$in": subjects}}).sort("_id", 1)
        return await self._awaken(await cursor.limit(AWAKENED_AT_ONCE).to_list())

    async def _awaken(self, documents: Sequence[Document]) -> list[Item]:
        payloads = await open_payloads(self._ledger.keyring, "early", documents)
        # What is about somebody erased in between stands there no more in the next look.
        return [
            self._reader.awakened(document, raw)
            for document, raw in zip(documents, payloads, strict=True)
            if raw is not None
        ]

    async def sweep(self) -> int:
        """Decide early records again for which what they wait for changed unnoticed; returns how many moved.

        Closes the race between a process that found nothing and one that was just writing it, and awakens what waits
        for a subject that a command over HTTP changed.
        """
        moved = 0
        found: dict[str, list[Document]] = {}
        behind = {"_id": {"$gt": self._swept_to}}
        cursor = self._database["early"].find(behind, {"sealed": 0}).sort("_id", 1)
        documents = await cursor.limit(SWEPT_AT_ONCE).to_list()
        self._swept_to = documents[-1]["_id"] if len(documents) == SWEPT_AT_ONCE else ""
        for document in documents:
            found.setdefault(document["collection"], []).append(document)
        for collection, documents in found.items():
            subjects = list({document["waits"] for document in documents})
            versions: dict[str, int] = {}
            async for head in self._database[collection].find({"_id": {"$in": subjects}}, {"version": 1}):
                versions[head["_id"]] = head["version"]
            changed = {d["waits"] for d in documents if versions.get(d["waits"], 0) > d["seen"]}
            for subject in changed:
                moved += await self._sweep_subject(subject)
        return moved

    async def _sweep_subject(self, subject: str) -> int:
        moved, behind = 0, ""
        while True:
            query = {"waits": subject, "_id": {"$gt": behind}}
            documents = await self._database["early"].find(query).sort("_id", 1).limit(AWAKENED_AT_ONCE).to_list()
            if not documents:
                return moved
            moved += await self._sweep_some(documents)
            behind = documents[-1]["_id"]

    async def _sweep_some(self, documents: Sequence[Document]) -> int:
        waiting = await self._awaken(documents)
        draft = Draft()
        await self._ledger.load(draft, [item.task for item in waiting if item.task is not None])
        now = self._ledger.clock.now()
        decide_waiting(self._ledger, draft, waiting, now)
        for item in waiting:
            if item.outcome == "early":
                draft.write("early", UpdateOne({"_id": item.receipt_id}, {"$set": wait_of(draft, item)}))
        tallies: Tallies = Counter()
        self._recorder.write_awakened(draft, waiting, tallies, now)
        try:
            await self._recorder.commit(draft, tallies)
        except Stale:
            return 0
        return sum(item.outcome != "early" for item in waiting)

    async def some(self, most: int) -> list[dict[str, Any]]:
        """Some of what waits: for which subject, since when."""
        found = self._database["early"].find({}, {"sealed": 0}).sort("_id", 1).limit(most)
        return [
            {
                "state": "early",
                "type": document["type"],
                "waits_for": f"{document['collection']}/{document['waits']}",
                "since": moment_text(document["arrived"]),
            }
            async for document in found
        ]
