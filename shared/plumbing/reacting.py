"""Acting because of what another of our services said: reactions (ARCHITECTURE §6).

A reaction has a consumer group of its own, apart from projections, so that a rebuild never acts again. What it creates
has an id derived from the event; so an event delivered again, also after a kill between commit and offset, meets what
is there already and changes nothing. Effects, and records that could not be read, are written in one transaction
before Kafka is told of the offsets.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from pymongo import UpdateOne

from shared.contracts.decision import Refusal, TooEarly
from shared.contracts.envelope import Envelope, Event
from shared.plumbing.cloudevents import Malformed, parse_json, problems_of
from shared.plumbing.database import Document
from shared.plumbing.dead_letters import Retried, Settled
from shared.plumbing.journal import Cause, Draft, Ledger, Task
from shared.plumbing.listening import Batch, Offsets, Record
from shared.plumbing.quarantine import DeadLetter, set_aside
from shared.plumbing.settling import settle
from shared.plumbing.streak import Streak
from shared.plumbing.telemetry import logger

log = logger("reacting")


@dataclass(frozen=True)
class Told:
    """An event of ours as heard: its envelope, and its data as the class that was asked for."""

    envelope: Envelope
    event: Any


@dataclass(frozen=True)
class Note:
    """A document that is kept because of an event. Its `_id` comes from the event, so that it is kept once."""

    collection: str
    document: Document


@dataclass(frozen=True)
class Reacting:
    """What is heard, and what follows from it at `now`: a task, a note, or None if nothing does. Must be pure."""

    name: str
    hears: Sequence[type[Event]]
    react: Callable[[Told, datetime], Task[Any] | Note | None]


@dataclass
class _Item:
    """One record on its way through a batch."""

    place: str
    arrived: datetime
    key: bytes | None
    value: bytes | None
    told: Told | None = None
    unread: str | None = None
    type: str = "?"
    follows: Task[Any] | Note | None = None


class Reaction:
    """The `Listener` of one reaction. Types it does not hear pass by; what cannot be read is set aside."""

    def __init__(self, ledger: Ledger, reacting: Reacting, max_dead_letters_in_a_row: int) -> None:
        self._ledger = ledger
        self._reacting = reacting
        self._heard = {event.TYPE: event for event in reacting.hears}
        self._streak = Streak(max_dead_letters_in_a_row)

    async def take(self, batch: Batch) -> Offsets:
        """Act on one poll. Raises TooManyDeadLetters, Stale and database errors; then it is called again."""
        items = [self._read(_item(record)) for records in batch.values() for record in records]
        streak = self._streak
        length = streak.after((item.place, item.unread) for item in items)
        await settle([item for item in items if item.told is not None or item.unread is not None], self._attempt)
        streak.goes_on(length)
        return {partition: records[-1].offset + 1 for partition, records in batch.items()}

    def forget(self) -> None:
        """Nothing is assumed about partitions here: what was created tells what was heard."""
        self._streak = self._streak.anew()

    async def retry(self, letter: DeadLetter, settled: Settled) -> Retried:
        """Act on a dead letter as if it had just come. Raises Stale, also when somebody else settled it meanwhile."""
        item = self._read(_Item(letter.place, letter.arrived, letter.key, letter.value))
        now = self._ledger.clock.now()
        draft = await self._load([item], now)
        reason = item.unread or self._decide(draft, item, now)
        if reason is not None:
            return Retried("rejected", reason)
        draft.write("quarantine", settled("accepted"))
        await self._ledger.commit(draft)
        return Retried("accepted")

    def _read(self, item: _Item) -> _Item:
        try:
            envelope = _envelope(item)
            item.type = envelope.type
            heard = self._heard.get(envelope.type)
            if heard is not None:
                item.told = Told(envelope, heard.model_validate(envelope.data))
        except Malformed as error:
            item.unread = str(error)
        except ValidationError as error:
            item.unread = problems_of(error)
        return item

    async def _attempt(self, items: Sequence[_Item]) -> None:
        now = self._ledger.clock.now()
        draft = await self._load(items, now)
        for item in items:
            reason = item.unread or self._decide(draft, item, now)
            if reason is not None:
                log.warning("record set aside", reaction=self._reacting.name, place=item.place, reason=reason)
                set_aside(draft, self._dead_letter(item, reason, now))
        await self._ledger.commit(draft)

    async def _load(self, items: Sequence[_Item], now: datetime) -> Draft:
        draft = Draft()
        for item in items:
            item.follows = None if item.told is None else self._reacting.react(item.told, now)
        await self._ledger.load(draft, [item.follows for item in items if isinstance(item.follows, Task)])
        return draft

    def _dead_letter(self, item: _Item, reason: str, now: datetime) -> DeadLetter:
        told = item.told.envelope if item.told is not None else None
        return DeadLetter(
            item.place,
            self._reacting.name,
            reason,
            now,
            item.arrived,
            item.value,
            item.key,
            source=told.source if told is not None else "?",
            type=item.type,
            event=told.id if told is not None else None,
        )

    def _decide(self, draft: Draft, item: _Item, now: datetime) -> str | None:
        """Note what follows; or answer the reason why nothing can, for the record to be set aside with it."""
        if item.told is None or item.follows is None:
            return None
        if isinstance(item.follows, Note):
            note = item.follows.document
            draft.write(item.follows.collection, UpdateOne({"_id": note["_id"]}, {"$setOnInsert": note}, upsert=True))
            return None
        told = item.told.envelope
        cause = Cause(f"reaction:{self._reacting.name}", told.correlationid or told.id, told.id, told.traceparent)
        try:
            self._ledger.decide(draft, item.follows, now, cause)
        except (Refusal, TooEarly) as refusal:
            return str(refusal)
        except Exception as error:
            # A fault of ours must not hold up the events behind it: this one is kept, with its reason.
            log.exception("rule failed", reaction=self._reacting.name, place=item.place)
            return f"internal fault: {type(error).__name__}"
        return None


def _item(record: Record) -> _Item:
    arrived = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    return _Item(f"{record.topic}/{record.partition}/{record.offset}", arrived, record.key, record.value)


def _envelope(item: _Item) -> Envelope:
    """The envelope of one of our own events, distrusted all the same. Raises Malformed and ValidationError."""
    if item.value is None:
        raise Malformed("the record has no value")
    content = parse_json(item.value)
    if not isinstance(content, dict):
        raise Malformed("an event is a JSON object")
    envelope = Envelope.model_validate(content)
    if item.key != envelope.partitionkey.encode():
        raise Malformed("the record's key is not the event's partitionkey")
    return envelope
