"""What was uploaded, kept in chunks of rows until it is imported.

It is personal: sealed, and gone after as many days as an intake topic keeps what foreign systems wrote.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from pymongo import ReturnDocument

from services.customer.model.importing import Reading
from services.customer.sheets import Table
from shared.contracts.catalogue import INTAKE_DAYS
from shared.plumbing.database import Document
from shared.plumbing.journal import Cause, Ledger, Stale

CHUNK = 100
"""Rows decided in one transaction."""
JOBS, CHUNKS = "imports", "import_chunks"
Outcome = Literal["opened", "changed", "unchanged", "duplicate", "refused"]
Mode = Literal["check", "run"]
Rows = list[tuple[int, list[str]]]
"""Rows by their numbers."""


@dataclass
class Verdict:
    """What became of a row. `alike` are files that may be about the same customer: id, score, reasons."""

    row: int
    outcome: Outcome
    reason: str | None = None
    customer_id: str | None = None
    alike: list[dict[str, Any]] = field(default_factory=list)


class Imports:
    """Every import of this service: kept as `imports`, its rows as `import_chunks`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._jobs = ledger.database[JOBS]
        self._chunks = ledger.database[CHUNKS]

    async def prepare(self) -> None:
        """Indexes; safe to repeat. The database forgets imports by itself."""
        for collection in (self._jobs, self._chunks):
            await collection.create_index("expires", expireAfterSeconds=0)
        await self._jobs.create_index("state")

    async def keep(self, import_id: str, table: Table, actor: str) -> Document:
        """Keep what was uploaded; the same file of the same person again is the same import."""
        now = self._ledger.clock.now()
        expires = now + timedelta(days=INTAKE_DAYS)
        batches = [table.rows[first : first + CHUNK] for first in range(0, len(table.rows), CHUNK)]
        for number, rows in enumerate(batches):
            name = f"{import_id}/{number}"
            sealed = self._ledger.keyring.seal.close({"rows": rows}, f"{CHUNKS}/{name}")
            chunk = {"import": import_id, "number": number, "expires": expires, "sealed": sealed}
            await self._chunks.update_one({"_id": name}, {"$setOnInsert": chunk}, upsert=True)
        job: Document = {
            "format": table.format,
            "columns": table.columns,
            "rows": len(table.rows),
            "chunks": len(batches),
            "uploaded_by": actor,
            "uploaded_at": now,
            "expires": expires,
            "state": "uploaded",
            "turn": 0,
            "next": 0,
            "counts": {},
        }
        kept = await self._jobs.find_one_and_update(
            {"_id": import_id}, {"$setOnInsert": job}, upsert=True, return_document=ReturnDocument.AFTER
        )
        if kept is None:  # an upsert that answers what it wrote always answers something
            raise Stale
        return kept

    async def find(self, import_id: str) -> Document | None:
        """The import as it stands."""
        return await self._jobs.find_one({"_id": import_id})

    async def start(self, job: Document, mode: Mode, reading: Reading, cause: Cause, key: str | None) -> Document:
        """Begin a check or a run, from the first row on. Raises Stale when somebody else was first."""
        order = {
            "state": "running",
            "mode": mode,
            "reading": reading.model_dump(),
            "cause": {"actor": cause.actor, "right": None if cause.right is None else dict(cause.right)},
            "key": key,
            "turn": job["turn"] + 1,
            "next": 0,
            "counts": {},
            "holder": None,
            "until": None,
        }
        begun = await self._jobs.find_one_and_update(
            {"_id": job["_id"], "turn": job["turn"]}, {"$set": order}, return_document=ReturnDocument.AFTER
        )
        if begun is None:
            raise Stale
        return begun

    async def chunks(self, job: Document, first: int = 0) -> AsyncIterator[tuple[Rows, list[Verdict]]]:
        """The rows of each chunk with the verdicts of the present turn, those that are there."""
        for number in range(first, job["chunks"]):
            chunk = await self._chunks.find_one({"_id": f"{job['_id']}/{number}"})
            if chunk is None:
                return
            seal, place = self._ledger.keyring.seal, f"{CHUNKS}/{chunk['_id']}"
            verdicts = chunk.get("verdicts") if chunk.get("turn") == job["turn"] else None
            told = seal.open(verdicts, f"{place}/verdicts").get("rows", [])
            rows = [(row, cells) for row, cells in seal.open(chunk["sealed"], place)["rows"]]
            yield rows, [Verdict(**one) for one in told]
