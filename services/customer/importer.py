"""Imports at work: each chunk's rows and their verdicts are recorded in one transaction.

So an import goes on where it stopped, whoever takes it up again, and no row is taken twice. A check decides alike and
records the verdicts alone.
"""

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pymongo import ReplaceOne, ReturnDocument, UpdateOne
from pymongo.errors import PyMongoError

from services.customer.commands.register_customer import (
    LooksLikeAnother,
    desk_changes,
    desk_opens,
    own_id,
    refuse_duplicate,
)
from services.customer.desk import OWN_SOURCE, STORED, Desk, at_home
from services.customer.duplicates import Candidate, Duplicates, Thresholds
from services.customer.import_rows import Newcomers, Read, placed, read
from services.customer.imports import CHUNKS, JOBS, Imports, Outcome, Rows, Verdict
from services.customer.model.customer import Customer
from services.customer.model.files import About, unless_erased
from services.customer.model.importing import Reading, Row
from services.customer.model.likeness import Likeness
from shared.contracts.decision import Refusal, Said, Scene, TooEarly
from shared.plumbing.database import Document
from shared.plumbing.hiding import Hidden
from shared.plumbing.journal import Cause, Draft, Ledger, Stale, Task
from shared.plumbing.telemetry import logger

LEASE = timedelta(seconds=60)
IMPORTS_EVERY_S = 0.5
log = logger("import")


@dataclass(frozen=True)
class Chunk:
    """What the rows that are decided in one transaction have in common."""

    draft: Draft
    tasks: Mapping[int, Task[Customer]]
    first: Mapping[str, int]
    """Customer → the first row about it."""
    found: Mapping[int, Sequence[Candidate]]
    """Row that opens a file → files like it."""
    newcomers: Newcomers
    thresholds: Thresholds
    now: datetime
    cause: Cause


class Importer:
    """Takes up imports that were started, one after another."""

    def __init__(self, ledger: Ledger, desk: Desk, duplicates: Duplicates, imports: Imports) -> None:
        self._ledger = ledger
        self._desk = desk
        self._duplicates = duplicates
        self._imports = imports
        self._jobs = ledger.database[JOBS]
        self._holder = uuid.uuid4().hex

    async def step(self) -> int:
        """Chore: take one import to its end; answers how many chunks were taken."""
        job = await self._claim()
        if job is None:
            return 0
        taken = 0
        try:
            if job["mode"] == "check":
                job = {**job, "next": 0, "counts": {}} if job["next"] == 0 else await self._again(job)
            numbers = await self._numbers(job)
            newcomers = Newcomers()
            async for rows, _ in self._imports.chunks(job, job["next"]):
                if job["mode"] == "run":
                    newcomers = Newcomers()
                job = await self._take(job, rows, numbers, newcomers)
                taken += 1
        except Stale:  # somebody else changed one of these files, or the import: the next step looks again
            return taken
        except PyMongoError:
            raise
        except Exception:  # one file must not stop the service again and again
            log.exception("an import failed", import_id=job["_id"])
            await self._jobs.update_one({"_id": job["_id"], "turn": job["turn"]}, {"$set": {"state": "failed"}})
        return taken

    async def _claim(self) -> Document | None:
        now = self._ledger.clock.now()
        free = {"state": "running", "$or": [{"until": None}, {"until": {"$lte": now}}, {"holder": self._holder}]}
        taken = {"$set": {"holder": self._holder, "until": now + LEASE}}
        return await self._jobs.find_one_and_update(
            free, taken, sort=[("uploaded_at", 1)], return_document=ReturnDocument.AFTER
        )

    async def _again(self, job: Document) -> Document:
        """A check compares rows with those before it, in memory: it begins anew. Raises Stale."""
        begun = await self._jobs.find_one_and_update(
            {"_id": job["_id"], "turn": job["turn"], "holder": self._holder},
            {"$set": {"next": 0, "counts": {}}},
            return_document=ReturnDocument.AFTER,
        )
        if begun is None:
            raise Stale
        return begun

    async def _numbers(self, job: Document) -> dict[str, int]:
        """Customer → the first row about it."""
        first: dict[str, int] = {}
        async for rows, _ in self._imports.chunks(job):
            for one in await self._read(job, rows):
                if one.subject is not None:
                    first.setdefault(one.subject, one.number)
        return first

    async def _read(self, job: Document, rows: Rows) -> list[Read]:
        """Rows with the files they are about; a merged file stands for the one it is part of."""
        reading = Reading.model_validate(job["reading"])
        found = [read(self._desk, number, job["columns"], cells, reading) for number, cells in rows]
        codes = [one.row.code for one in found if one.row is not None and one.row.code is not None]
        ids = [one.subject for one in found if one.subject is not None]
        query = {"$or": [{"code": {"$in": codes}}, {"_id": {"$in": ids}}]}
        documents = await self._ledger.database["customers"].find(query, {"code": 1, "merged_into": 1}).to_list()
        by_code = {one["code"]: one["_id"] for one in documents}
        homes = {one["_id"]: one.get("merged_into") or one["_id"] for one in documents}
        return [placed(one, by_code, homes) for one in found]

    async def _take(self, job: Document, rows: Rows, first: Mapping[str, int], newcomers: Newcomers) -> Document:
        """Decide a chunk and record it with its verdicts and the progress. Raises Stale."""
        running = job["mode"] == "run"
        now = self._ledger.clock.now()
        cause = Cause(job["cause"]["actor"], job["_id"], right=job["cause"]["right"])
        reads = await self._read(job, rows)
        tasks = {one.number: self._task(one, now, running) for one in reads if one.row and one.subject}
        draft = Draft()
        await self._ledger.load(draft, list(tasks.values()))
        thresholds = Thresholds.of(self._desk.policies, self._desk.today())
        opening = [one for one in reads if first.get(one.subject or "") == one.number and _opens(draft, one)]
        alike = await self._duplicates.like_each([one.compared for one in opening], thresholds.shown)
        found = {one.number: files for one, files in zip(opening, alike, strict=True)}
        chunk = Chunk(draft, tasks, first, found, newcomers, thresholds, now, cause)
        verdicts = [self._verdict(one, chunk) for one in reads]
        record = draft if running else Draft()
        number, change = job["next"], {"turn": job["turn"]}
        name = f"{job['_id']}/{number}"
        told = {"rows": [vars(one) for one in verdicts]}
        record.hidden.append(Hidden(change, "verdicts", told, f"{CHUNKS}/{name}/verdicts", None))
        record.write(CHUNKS, UpdateOne({"_id": name}, {"$set": change}))
        counts: Counter[str] = Counter(job["counts"])
        counts.update(one.outcome for one in verdicts)
        counts["alike"] += sum(one.outcome == "opened" and bool(one.alike) for one in verdicts)
        after = {**job, "next": number + 1, "counts": dict(counts), "until": now + LEASE}
        if after["next"] == job["chunks"]:
            after |= {"state": "checked" if not running else "done", "finished_at": now}
        guard = {"_id": job["_id"], "turn": job["turn"], "next": number, "holder": self._holder}
        record.write(JOBS, ReplaceOne(guard, after))
        await self._ledger.commit(record)
        if running:
            await self._duplicates.keep(_pairs(verdicts))
        return after

    def _task(self, one: Read, now: datetime, running: bool) -> Task[Customer]:
        row, subject = one.row, one.subject
        if row is None or subject is None:
            raise ValueError("a row that cannot be read has no task")
        external_id = row.external_id or own_id(self._desk, row.fields) or subject
        source = row.source if row.external_id else OWN_SOURCE
        about = About(customer_id=subject, source=source, external_id=external_id, time=now)

        def rule(state: Customer | None, who: About, scene: Scene) -> Sequence[Said]:
            unless_erased(state)
            if state is None or state.provisional:
                if who.code is None:  # a check takes no number
                    who = who.model_copy(update={"code": self._desk.filing(scene.now).code(0)})
                fields = {"kind": "direct", "channel": "import", **row.fields}
                return desk_opens(self._desk, state, who, scene, fields)
            if row.code is not None:
                who = at_home(subject, scene.now, state)
            return desk_changes(self._desk, state, who, scene, row.fields)

        partner = row.fields.get("partner_id")
        task = self._desk.seeing_task(about, rule, beside=[partner] if partner else [])
        return task if running else replace(task, sequence=None)

    def _verdict(self, one: Read, chunk: Chunk) -> Verdict:
        row, subject, task = one.row, one.subject, chunk.tasks.get(one.number)
        if row is None or subject is None or task is None:
            return Verdict(one.number, "refused", one.reason)
        if chunk.first[subject] != one.number:
            reason = f"row {chunk.first[subject]} is about the same customer, and only one of them can hold: leave one"
            return Verdict(one.number, "duplicate", reason)
        before = chunk.draft.now[STORED.collection, subject]
        alike: list[dict[str, Any]] = []
        try:
            if one.number in chunk.found:
                found, earlier = chunk.found[one.number], chunk.newcomers.like(row.fields, chunk.thresholds.shown)
                alike = _alike(found, earlier)
                _refuse_duplicate(row, found, earlier, chunk.thresholds)
            after = self._ledger.decide(chunk.draft, task, chunk.now, chunk.cause)
        except LooksLikeAnother as refusal:
            return Verdict(one.number, "duplicate", str(refusal), None, alike)
        except (Refusal, TooEarly) as refusal:
            return Verdict(one.number, "refused", str(refusal), None, alike)
        if one.number in chunk.found:
            chunk.newcomers.add(one, row.fields)
        opened = before.version == 0
        outcome: Outcome = "opened" if opened else "changed" if after.version > before.version else "unchanged"
        return Verdict(one.number, outcome, None, subject, alike)


def _opens(draft: Draft, one: Read) -> bool:
    """Whether a row that can be read opens a file, or completes a provisional one."""
    state = draft.now[STORED.collection, str(one.subject)].state
    return state is None or bool(state.provisional)


def _alike(found: Sequence[Candidate], earlier: Sequence[tuple[Read, Likeness]]) -> list[dict[str, Any]]:
    """Files and earlier rows that may be about the same customer."""
    seen = [(one.customer.customer_id, one.likeness) for one in found]
    seen += [(one.subject or "", like) for one, like in earlier]
    return [{"customer_id": name, "score": like.score, "reasons": list(like.reasons)} for name, like in seen]


def _refuse_duplicate(
    row: Row, found: Sequence[Candidate], earlier: Sequence[tuple[Read, Likeness]], thresholds: Thresholds
) -> None:
    """Raises LooksLikeAnother, naming the file or the row."""
    refuse_duplicate([one for one in found if one.customer.customer_id not in row.not_the_same_as], thresholds)
    if earlier and earlier[0][1].score >= thresholds.refused:
        other, like = earlier[0]
        raise LooksLikeAnother(
            f"this looks like row {other.number} ({like.score} %: {', '.join(like.reasons)}); leave one, or import it "
            "afterwards with the other's customer id in notTheSameAs"
        )


def _pairs(verdicts: Sequence[Verdict]) -> dict[tuple[str, str], Likeness]:
    return {
        (one.customer_id, other["customer_id"]): Likeness(score=other["score"], reasons=tuple(other["reasons"]))
        for one in verdicts
        if one.outcome == "opened" and one.customer_id is not None
        for other in one.alike
    }
