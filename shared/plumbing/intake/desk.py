"""Taking in what other systems tell us: each fact once for ever, and every event answered (ARCHITECTURE §4).

An intake event ends as `accepted`, `duplicate`, `early` (kept until what it refers to arrives) or `rejected` (with a
reason; the payload sealed in `quarantine`). Receipts, early records and quarantine are written in the transaction of
the states and events they belong to, so a crash can neither lose nor double one.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from pymongo import DeleteOne, InsertOne, UpdateOne

from shared.contracts.decision import Invalid, Refusal, TooEarly
from shared.contracts.envelope import moment_text
from shared.contracts.intake import Intake
from shared.plumbing.cloudevents import CloudEvent, Malformed, problems_of, read_kafka, read_structured
from shared.plumbing.database import Document
from shared.plumbing.dead_letters import Retried, Settled
from shared.plumbing.hiding import open_payloads
from shared.plumbing.identity import Identity
from shared.plumbing.journal import Cause, Draft, Ledger, Stale, Task
from shared.plumbing.listening import Batch, Offsets, Record
from shared.plumbing.quarantine import DeadLetter, Headers, set_aside
from shared.plumbing.settling import settle
from shared.plumbing.streak import Streak
from shared.plumbing.telemetry import TAKEN, logger
from shared.plumbing.tracing import sane_correlation, sane_trace

Outcome = Literal["accepted", "duplicate", "early", "rejected"]
Tallies = Counter[tuple[str, str, str]]
LONGEST_SOURCE = 200
"""Characters of a source: it becomes a dimension of every fact."""
SWEPT_AT_ONCE = 10_000
"""Early records looked at in one sweep; the next one goes on behind them, so that none is passed over for ever."""
AWAKENED_AT_ONCE = 1_000
"""Early records decided in one transaction, far below what a transaction may hold."""
log = logger("intake")


@dataclass(frozen=True)
class Heard:
    """A foreign fact, validated: where it comes from, when it happened, and what it says."""

    source: str
    time: datetime
    timezone: str | None
    data: Any


@dataclass(frozen=True)
class Understood:
    """One intake type: the model of its data, and how it becomes a task."""

    data: type[Intake]
    task: Callable[[Heard], Task[Any]]


@dataclass(frozen=True)
class Receipt:
    """The answer to one event."""

    id: str | None
    type: str | None
    outcome: Outcome
    reason: str | None = None


@dataclass
class _Item:
    """One event on its way through a batch."""

    place: str
    arrived: datetime
    raw: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    event: CloudEvent | None = None
    task: Task[Any] | None = None
    receipt_id: str = ""
    identity: str | None = None
    outcome: Outcome = "accepted"
    reason: str | None = None
    waiting: bool = False
    """Whether it stood among the early records before this batch."""
    waits: tuple[str, str] | None = None
    """(collection, subject) whose change lets an early one be decided again."""
    waited: tuple[str, str] | None = None
    """What the early record stored before this batch waits for."""
    receipted: bool = False
    """Whether its own receipt is there already: it was rejected once and is tried again."""

    @property
    def source(self) -> str:
        return self.event.source if self.event else "?"

    @property
    def type(self) -> str:
        return self.event.type if self.event else "?"

    @property
    def unread(self) -> str | None:
        """Why it could not be understood."""
        return self.reason if self.task is None else None


class IntakeDesk:
    """Takes foreign events in batches, from a topic or over HTTP. One service has one."""

    NAME = "intake"
    """As a subscriber."""

    def __init__(
        self,
        ledger: Ledger,
        identity: Identity,
        understood: Sequence[Understood],
        *,
        shard: str,
        max_dead_letters_in_a_row: int,
    ) -> None:
        """`shard` keeps the tallies of several processes apart, so that they never wait for one another.

        So do its slots those of transactions under way in one process: whoever writes a tally that another one is
        writing loses the race, and a batch lost it again and again to single events that came over HTTP.
        """
        self._ledger = ledger
        self._database = ledger.database
        self._identity = identity
        self._understood = {item.data.TYPE: item for item in understood}
        self._new_slots = (f"{shard}.{number}" for number in itertools.count())
        self._free_slots: list[str] = []
        self._streak = Streak(max_dead_letters_in_a_row)
        self._swept_to = ""

    async def prepare(self) -> None:
        """Indexes of receipts and early records; safe to repeat."""
        await self._database["receipts"].create_index(
            "identity", unique=True, partialFilterExpression={"identity": {"$exists": True}}
        )
        await self._database["early"].create_index("waits")
        await self._database["early"].create_index("person", sparse=True)
        await self._database["tallies"].create_index("source")

    async def take(self, batch: Batch) -> Offsets:
        """Listener: take one poll of the intake topic. Raises TooManyDeadLetters, Stale and database errors."""
        items = [self._read(_item(record)) for records in batch.values() for record in records]
        streak = self._streak.after((item.place, item.unread) for item in items)
        await settle(items, self._attempt)
        self._streak.goes_on(streak)
        return {partition: records[-1].offset + 1 for partition, records in batch.items()}

    def forget(self) -> None:
        """Nothing is assumed about partitions here: receipts tell what was taken."""

    async def receive(self, events: Sequence[CloudEvent]) -> list[Receipt]:
        """Take events that came over HTTP; one receipt each, in order."""
        now = self._ledger.clock.now()
        items = []
        for event in events:
            body = event.model_dump_json(exclude_none=True).encode()
            place = f"http/{self._identity.of('http', event.source, body.decode())}"
            items.append(self._understand(_Item(place, now, body, event=event)))
        await settle(items, self._attempt)
        return [Receipt(item.event.id if item.event else None, item.type, item.outcome, item.reason) for item in items]

    async def retry(self, letter: DeadLetter, settled: Settled) -> Retried:
        """Take a rejected event as if it had just come; what is rejected again changes nothing.

        Raises Stale, also when somebody else settled the letter meanwhile.
        """
        item = self._read(_Item(letter.place, letter.arrived, letter.value, letter.key, letter.headers))
        if item.unread is not None:
            return Retried("rejected", item.unread)
        item.receipted = letter.event is not None
        draft, waiting, now = await self._decided([item])
        if item.outcome == "rejected":
            return Retried(item.outcome, item.reason)
        tallies: Tallies = Counter({(letter.source, letter.tallied, "rejected"): -1})
        self._write(draft, [item], tallies, now)
        self._write_awakened(draft, waiting, tallies, now)
        draft.write("quarantine", settled(item.outcome))
        await self._commit(draft, tallies)
        return Retried(item.outcome, item.reason)

    def _read(self, item: _Item) -> _Item:
        try:
            item.event = read_kafka(item.headers, item.raw)
        except Malformed as error:
            item.outcome, item.reason = "rejected", str(error)
            return item
        return self._understand(item)

    def _understand(self, item: _Item) -> _Item:
        event = item.event
        if event is None:
            raise ValueError("nothing to understand")
        # Keyed, since it travels as causation id: a foreign id may be a phone number that could be guessed back.
        item.receipt_id = self._identity.of("receipt", event.source, event.id)
        if len(event.source) > LONGEST_SOURCE:
            item.outcome, item.reason = "rejected", f"source: at most {LONGEST_SOURCE} characters"
            return item
        understood = self._understood.get(event.type)
        if understood is None:
            known = ", ".join(sorted(self._understood))
            item.outcome, item.reason = "rejected", f"unknown type {event.type[:100]!r}; understood here: {known}"
            return item
        try:
            data = understood.data.model_validate(event.data)
            if event.timezone is not None and not _is_zone(event.timezone):
                raise Invalid("timezone: there is no such time zone; send an IANA name such as Asia/Shanghai")
            item.task = understood.task(Heard(event.source, event.time or item.arrived, event.timezone, data))
        except ValidationError as error:
            item.outcome, item.reason = "rejected", f"data: {problems_of(error)}"
        except Refusal as refusal:
            item.outcome, item.reason = "rejected", str(refusal)
        else:
            if understood.data.IDENTITY:
                values = [str(getattr(data, name)) for name in understood.data.IDENTITY]
                item.identity = self._identity.of("fact", event.source, "\x1f".join((event.type, *values)))
        return item

    async def _attempt(self, items: Sequence[_Item]) -> None:
        draft, waiting, now = await self._decided(items)
        tallies: Tallies = Counter()
        self._write(draft, items, tallies, now)
        self._write_awakened(draft, waiting, tallies, now)
        await self._commit(draft, tallies)
        for item in items:
            TAKEN.labels(item.type if item.task else "unknown", item.outcome).inc()

    async def _decided(self, items: Sequence[_Item]) -> tuple[Draft, list[_Item], datetime]:
        """A draft in which every item is decided, what waited for them too; and the moment that was now."""
        for item in items:
            if item.task is not None:
                item.outcome, item.reason = "accepted", None
        await self._mark_duplicates(items)
        waiting = await self._waiting_for(items)
        draft = Draft()
        await self._ledger.load(draft, [item.task for item in (*items, *waiting) if item.task is not None])
        now = self._ledger.clock.now()
        self._decide_all(draft, items, waiting, now)
        return draft, waiting, now

    async def _mark_duplicates(self, items: Sequence[_Item]) -> None:
        ids = [item.receipt_id for item in items if item.receipt_id and not item.receipted]
        identities = [item.identity for item in items if item.identity]
        seen: set[str] = set()
        query = (
            {"$or": [{"_id": {"$in": ids}}, {"identity": {"$in": identities}}]} if identities else {"_id": {"$in": ids}}
        )
        if ids or identities:
            async for receipt in self._database["receipts"].find(query, {"identity": 1}):
                seen.update(filter(None, (receipt["_id"], receipt.get("identity"))))
        # What is no CloudEvent has no receipt; its place in the quarantine tells that it was counted.
        places = [item.place for item in items if not item.receipt_id]
        if places:
            async for kept in self._database["quarantine"].find({"_id": {"$in": places}}, {"_id": 1}):
                seen.add(kept["_id"])
        for item in items:
            name = item.receipt_id or item.place
            if name in seen or (item.identity and item.identity in seen):
                item.outcome, item.reason = "duplicate", None
            seen.add(name)

    async def _waiting_for(self, items: Sequence[_Item]) -> list[_Item]:
        subjects = list({item.task.subject for item in items if item.task is not None and item.outcome == "accepted"})
        if not subjects:
            return []
        cursor = self._database["early"].find({"waits": {"$in": subjects}}).sort("_id", 1)
        return await self._awaken(await cursor.to_list())

    async def _awaken(self, documents: Sequence[Document]) -> list[_Item]:
        payloads = await open_payloads(self._ledger.keyring, "early", documents)
        # What is about somebody erased in between stands there no more in the next look.
        return [
            self._awakened(document, raw) for document, raw in zip(documents, payloads, strict=True) if raw is not None
        ]

    def _awakened(self, document: Document, raw: bytes) -> _Item:
        item = _Item(document["place"], document["arrived"], raw, event=read_structured(raw), waiting=True)
        item.waited = (document["collection"], document["waits"])
        return self._understand(item)

    def _decide_all(self, draft: Draft, items: Sequence[_Item], waiting: Sequence[_Item], now: datetime) -> None:
        """Decide every item, then the waiting ones. Of a fact told twice in a batch the first not refused counts.

        So a correction is taken beside what it corrects, as it would be in a batch of its own.
        """
        undecided = [item for item in items if item.task is not None and item.outcome == "accepted"]
        woken = [item for item in waiting if item.task is not None]
        while undecided or woken:
            told: dict[str, _Item] = {}
            again: list[tuple[_Item, _Item]] = []
            for item in undecided:
                if item.identity and item.identity in told:
                    again.append((item, told[item.identity]))
                    continue
                self._decide(draft, item, now)
                if item.identity and item.outcome != "rejected":
                    told[item.identity] = item
            self._decide_waiting(draft, [*(item for item in undecided if item.outcome == "early"), *woken], now)
            undecided = [item for item, before in again if before.outcome == "rejected"]
            woken = [item for item in (*items, *waiting) if item.outcome == "early"] if undecided else []
            for item, before in again:
                if before.outcome != "rejected":
                    item.outcome, item.reason = "duplicate", None

    def _decide(self, draft: Draft, item: _Item, now: datetime) -> None:
        event, task = item.event, item.task
        if event is None or task is None:
            raise ValueError("an event that was not understood cannot be decided")
        # The receipt's name stands for the foreign event, whose own id may be a customer's or an order's: those stay.
        name = item.receipt_id
        cause = Cause(
            f"source:{event.source}", sane_correlation(event.correlationid) or name, name, sane_trace(event.traceparent)
        )
        try:
            self._ledger.decide(draft, task, now, cause)
        except TooEarly as waits:
            item.outcome, item.reason = "early", str(waits)
            item.waits = waits.waits or (task.aggregate.collection, task.subject)
        except Refusal as refusal:
            item.outcome, item.reason = "rejected", str(refusal)
            if not refusal.KEEPS:
                item.raw = b""
        except Exception as error:
            # A fault of ours must not hold up the events behind it: this one is kept, with its reason, for a retry.
            log.exception("rule failed", place=item.place, type=item.type)
            item.outcome, item.reason = "rejected", f"internal fault: {type(error).__name__}"
        else:
            item.outcome, item.reason = "accepted", None

    def _decide_waiting(self, draft: Draft, waiting: Sequence[_Item], now: datetime) -> None:
        """Try the early records again until none of them moves: one may have waited for another."""
        open_items = [item for item in waiting if item.task is not None]
        while open_items:
            for item in open_items:
                self._decide(draft, item, now)
            left = [item for item in open_items if item.outcome == "early"]
            if len(left) == len(open_items):
                return
            open_items = left

    def _write(self, draft: Draft, items: Sequence[_Item], tallies: Tallies, now: datetime) -> None:
        for item in items:
            tallies[item.source, item.type if item.type in self._understood else "unknown", item.outcome] += 1
            if item.outcome == "rejected":
                self._quarantine(draft, item, now)
            if item.outcome == "duplicate" or not item.receipt_id:
                continue
            receipt: Document = {"_id": item.receipt_id, "at": now}
            if item.identity and item.outcome != "rejected":
                receipt["identity"] = item.identity
            if item.receipted:
                draft.write("receipts", UpdateOne({"_id": item.receipt_id}, {"$set": receipt}))
            else:
                draft.write("receipts", InsertOne(receipt))
            if item.outcome == "early" and item.event is not None:
                body = item.event.model_dump_json(exclude_none=True).encode()
                early: Document = {
                    "_id": item.receipt_id,
                    **_wait(draft, item),
                    "type": item.type,
                    "place": item.place,
                    "arrived": item.arrived,
                }
                draft.hide(early, body, f"early/{item.receipt_id}", _person(draft, item))
                draft.write("early", InsertOne(early))

    def _write_awakened(self, draft: Draft, waiting: Sequence[_Item], tallies: Tallies, now: datetime) -> None:
        for item in waiting:
            if item.outcome == "early":
                if item.waits != item.waited:
                    draft.write("early", UpdateOne({"_id": item.receipt_id}, {"$set": _wait(draft, item)}))
                continue
            draft.write("early", DeleteOne({"_id": item.receipt_id}))
            tallies[item.source, item.type, item.outcome] += 1
            tallies[item.source, item.type, "early"] -= 1
            if item.outcome == "rejected":
                # The fact was not recorded: it may be told again under another event id.
                draft.write("receipts", UpdateOne({"_id": item.receipt_id}, {"$unset": {"identity": ""}}))
                self._quarantine(draft, item, now)

    async def _commit(self, draft: Draft, tallies: Tallies) -> None:
        """All of it, with the tallies in a slot that nobody else of this process writes to meanwhile."""
        slot = self._free_slots.pop() if self._free_slots else next(self._new_slots)
        for (source, kind, outcome), count in tallies.items():
            name = f"{source}|{kind}|{outcome}|{slot}"
            change = {"$inc": {"count": count}, "$set": {"source": source, "type": kind, "outcome": outcome}}
            draft.write("tallies", UpdateOne({"_id": name}, change, upsert=True))
        try:
            await self._ledger.commit(draft)
        finally:
            self._free_slots.append(slot)

    def _quarantine(self, draft: Draft, item: _Item, now: datetime) -> None:
        letter = DeadLetter(
            item.place,
            self.NAME,
            item.reason,
            now,
            item.arrived,
            item.raw,
            item.key,
            item.headers,
            item.source,
            item.type,
            item.event.id if item.event else None,
            item.type if item.type in self._understood else "unknown",
            _person(draft, item),
        )
        set_aside(draft, letter)

    async def sweep(self) -> int:
        """Decide early records again for which what they wait for changed unnoticed; returns how many moved.

        Closes the race between a process that found nothing and one that was just writing it, and awakens what waits
        for a subject that a command over HTTP changed.
        """
        moved = 0
        found: dict[str, list[Document]] = {}
        behind = {"_id": {"$gt": self._swept_to}}
        documents = await self._database["early"].find(behind, {"sealed": 0}).sort("_id", 1).to_list(SWEPT_AT_ONCE)
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
            documents = await self._database["early"].find(query).sort("_id", 1).to_list(AWAKENED_AT_ONCE)
            if not documents:
                return moved
            moved += await self._sweep_some(documents)
            behind = documents[-1]["_id"]

    async def _sweep_some(self, documents: Sequence[Document]) -> int:
        waiting = await self._awaken(documents)
        draft = Draft()
        await self._ledger.load(draft, [item.task for item in waiting if item.task is not None])
        now = self._ledger.clock.now()
        self._decide_waiting(draft, waiting, now)
        for item in waiting:
            if item.outcome == "early":
                draft.write("early", UpdateOne({"_id": item.receipt_id}, {"$set": _wait(draft, item)}))
        tallies: Tallies = Counter()
        self._write_awakened(draft, waiting, tallies, now)
        try:
            await self._commit(draft, tallies)
        except Stale:
            return 0
        return sum(item.outcome != "early" for item in waiting)

    async def early(self, most: int) -> list[dict[str, Any]]:
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

    async def totals(self, source: str) -> dict[str, Any]:
        """Counts of one source by type and outcome since for ever, and its latest rejects (without payload)."""
        types: dict[str, dict[str, int]] = {}
        async for tally in self._database["tallies"].find({"source": source}):
            counts = types.setdefault(tally["type"], dict.fromkeys(("accepted", "duplicate", "early", "rejected"), 0))
            counts[tally["outcome"]] += tally["count"]
        rejects = [
            {"id": document["event"], "type": document["type"], "reason": document["reason"]}
            async for document in self._database["quarantine"]
            .find({"source": source, "verdict": {"$ne": "retried"}}, {"sealed": 0})
            .sort("received", -1)
            .limit(1000)
        ]
        processed = sum(sum(counts.values()) for counts in types.values())
        return {"source": source, "types": types, "processed": processed, "rejects": rejects}


def _person(draft: Draft, item: _Item) -> str | None:
    """Whom an event is about; None where it was not understood, or tells of something not yet known."""
    if item.task is None:
        return None
    return draft.now[item.task.aggregate.collection, item.task.subject].key or item.task.person


def _item(record: Record) -> _Item:
    arrived = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    place = f"{record.topic}/{record.partition}/{record.offset}"
    return _Item(place, arrived, record.value, record.key, record.headers)


def _wait(draft: Draft, item: _Item) -> Document:
    """What an early record waits for, and the version of it that was not enough."""
    if item.waits is None:
        raise ValueError("only an early record waits")
    collection, subject = item.waits
    return {"waits": subject, "collection": collection, "seen": draft.read[collection, subject].version}


@lru_cache(maxsize=1_000)
def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
