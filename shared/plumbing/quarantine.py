"""What is set aside: records that a subscriber could not take, sealed in the `quarantine` of its service.

A document's name is the record's place, so a record delivered again is set aside once; it keeps that name when a
person has decided about it. Open letters expire with their payload, verdicts stay, but for one: what was taken again
and had to wait may be refused after all, and is then an open letter once more.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jiter
from pymongo import UpdateOne

from shared.contracts.catalogue import QUARANTINE_DAYS
from shared.plumbing.database import Database, Document
from shared.plumbing.journal import Draft
from shared.plumbing.sealing import Seal
from shared.plumbing.telemetry import QUARANTINED

KEPT = timedelta(days=QUARANTINE_DAYS)
Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True)
class DeadLetter:
    """A record that is set aside, as it came, and why."""

    place: str
    """topic/partition/offset; or http/ and a name, for an event that was posted."""
    subscriber: str
    """Whose fault or refusal it was; with the service's name before it, the consumer group."""
    reason: str | None
    received: datetime
    """When it was set aside."""
    arrived: datetime
    """When the topic or we got it."""
    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    source: str = "?"
    type: str = "?"
    event: str | None = None
    """Its own id, where that could be told."""
    tallied: str = "unknown"
    """Under which type it was counted as rejected."""
    person: str | None = None
    """Whom it is about, where that could be told."""

    @property
    def topic(self) -> str:
        return self.place.partition("/")[0]


def set_aside(draft: Draft, letter: DeadLetter) -> None:
    """Put it into `quarantine`, payload sealed, in the draft's transaction; the same place only once."""
    QUARANTINED.labels(letter.topic).inc()
    document = _document(letter)
    draft.hide(document, _content(letter), f"quarantine/{letter.place}", letter.person)
    draft.write("quarantine", _unless_there(letter, document))


def setting_aside(seal: Seal, letter: DeadLetter) -> UpdateOne:
    """The write that sets aside what is about nobody, unless its place was set aside before."""
    sealed = seal.close(_content(letter), f"quarantine/{letter.place}")
    return _unless_there(letter, {**_document(letter), "sealed": sealed})


def _unless_there(letter: DeadLetter, document: Document) -> UpdateOne:
    """Also where it stands there as taken again, but early: what it waited for has come and was its end."""
    absent = {"$eq": [{"$type": "$open"}, "missing"]}
    waited = {"$and": [{"$eq": ["$open", False]}, {"$eq": ["$outcome", "early"]}]}
    anew = {"$mergeObjects": [{"$literal": document}, {"_id": "$_id"}]}
    kept = {"$cond": [{"$or": [absent, waited]}, anew, "$$ROOT"]}
    return UpdateOne({"_id": letter.place}, [{"$replaceWith": kept}], upsert=True)


def _document(letter: DeadLetter) -> Document:
    return {
        "open": True,
        "subscriber": letter.subscriber,
        "source": letter.source,
        "event": letter.event,
        "type": letter.type,
        "tallied": letter.tallied,
        "reason": letter.reason,
        "received": letter.received,
        "arrived": letter.arrived,
        "expires": letter.received + KEPT,
    }


def _content(letter: DeadLetter) -> dict[str, Any]:
    return {
        "key": _text(letter.key),
        "value": _text(letter.value),
        "headers": [[name, _text(raw)] for name, raw in letter.headers],
    }


def letter_of(document: Document, payload: bytes) -> DeadLetter:
    """An open letter with its payload, as it was unsealed."""
    content = jiter.from_json(payload)
    return DeadLetter(
        document["_id"],
        document["subscriber"],
        document["reason"],
        document["received"],
        document["arrived"],
        _raw(content["value"]),
        _raw(content["key"]),
        [(name, _raw(text)) for name, text in content["headers"]],
        document["source"],
        document["type"],
        document["event"],
        document["tallied"],
        document.get("person"),
    )


async def prepare_quarantine(database: Database) -> None:
    """Indexes; safe to repeat."""
    await database["quarantine"].create_index("expires", expireAfterSeconds=0)
    await database["quarantine"].create_index("person", sparse=True)
    await database["quarantine"].create_index([("source", 1), ("received", 1)])
    await database["quarantine"].create_index([("open", 1), ("received", 1), ("_id", 1)])


async def open_letters(database: Database) -> int:
    """How many wait for a person."""
    return await database["quarantine"].count_documents({"open": True})


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()


def _raw(text: Any) -> bytes | None:
    return None if text is None else base64.b64decode(text)
