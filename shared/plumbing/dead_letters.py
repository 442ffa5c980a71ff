"""What becomes of dead letters: a person looks at one, has it taken again after a fix, or discards it for a reason.

Taking again is the subscriber's own work, on its normal path. A letter is settled by replacing it where it is still
open, in the transaction of what it caused (or after it, where the same record taken twice changes nothing), so a
retry counts once however often it is asked for and wherever it breaks off. The payload goes, the verdict stays.
"""

import asyncio
import functools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from pymongo import ReplaceOne

from shared.contracts.envelope import moment_text
from shared.plumbing.clock import Clock
from shared.plumbing.database import Database, Document
from shared.plumbing.hiding import open_payloads
from shared.plumbing.journal import Stale
from shared.plumbing.keyring import Keyring
from shared.plumbing.problems import Problem
from shared.plumbing.quarantine import DeadLetter, letter_of
from shared.plumbing.sealing import Unsealable
from shared.plumbing.telemetry import logger

ATTEMPTS = 8
Settled: TypeAlias = Callable[[str], ReplaceOne[Document]]
"""From the outcome to the write that settles the letter; it finds nothing when somebody else has."""
log = logger("dead letters")


@dataclass(frozen=True)
class Retried:
    """What became of a record that was taken again. Rejected, it stays a dead letter, for this reason."""

    outcome: Literal["accepted", "duplicate", "early", "rejected"]
    reason: str | None = None


@runtime_checkable
class Retrying(Protocol):
    """A subscriber that can take its dead letters again."""

    async def retry(self, letter: DeadLetter, settled: Settled) -> Retried:
        """Take the record as if it had just come, and settle the letter unless it is rejected again.

        Raises Stale for a lost race; then nothing was written, and it may be tried again.
        """
        ...


class DeadLetters:
    """The dead letters of one service."""

    def __init__(
        self, database: Database, keyring: Keyring, clock: Clock, service: str, takers: Mapping[str, Retrying]
    ) -> None:
        """`takers`: who took the records of each topic; `http` stands for what was posted to the intake."""
        self._letters = database["quarantine"]
        self._keyring = keyring
        self._clock = clock
        self._service = service
        self._takers = takers

    async def page(self, *, settled: bool, topic: str | None, after: str | None, limit: int) -> dict[str, Any]:
        """Letters without payload, the oldest first; `next` leads to the following page. Raises Problem."""
        query: Document = {"open": not settled}
        if topic is not None:
            query["_id"] = {"$gte": f"{topic}/", "$lt": f"{topic}0"}  # 0 comes right after the slash
        total = await self._letters.count_documents(query)
        behind = [query, _behind(after)] if after is not None else [query]
        found = self._letters.find({"$and": behind}, {"sealed": 0}).sort([("received", 1), ("_id", 1)])
        letters = await found.limit(limit + 1).to_list()
        last = letters[limit - 1] if len(letters) > limit else None
        return {
            "total": total,
            "letters": [self._shown(letter) for letter in letters[:limit]],
            "next": None if last is None else f"{moment_text(last['received'])} {last['_id']}",
        }

    async def one(self, place: str, *, payload: bool, actor: str) -> dict[str, Any]:
        """One letter, settled or open; the record itself only when it is asked for. Raises Problem."""
        document = await self._document(place)
        shown = self._shown(document)
        if document["open"]:
            if payload:
                log.warning("payload of a dead letter shown", place=place, actor=actor)
                letter = await self._opened(document)
                headers = [[name, _readable(raw)] for name, raw in letter.headers]
                shown |= {"key": _readable(letter.key), "payload": _readable(letter.value), "headers": headers}
        elif document["why"] is not None:
            shown["why"] = self._keyring.seal.open(document["why"], f"verdict/{place}")["why"]
        return shown

    async def retry(self, place: str, actor: str) -> dict[str, Any]:
        """Have it taken again; a letter that was is answered as it was then. Raises Problem and Stale."""
        for attempt in range(ATTEMPTS):
            document = await self._document(place)
            if not document["open"]:
                if document["verdict"] != "retried":
                    raise self._discarded(document)
                return self._shown(document)
            letter = await self._opened(document)
            taker = self._takers.get(letter.topic)
            if taker is None:
                detail = (
                    f"Nobody in {self._service} takes records of {letter.topic} any more; it can only be discarded."
                )
                raise Problem(409, "no-subscriber", "No subscriber", detail)
            try:
                retried = await taker.retry(letter, functools.partial(self._settled, document, "retried", actor))
            except Stale:
                # The subscriber itself is at work all the time; jitter finds a moment between two of its commits.
                await asyncio.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 - no secret
                continue
            log.info("dead letter retried", place=place, outcome=retried.outcome, actor=actor)
            if retried.outcome == "rejected":
                await self._letters.update_one({"_id": place, "open": True}, {"$set": {"reason": retried.reason}})
                return self._shown({**document, "reason": retried.reason}) | {"outcome": "rejected"}
            return self._shown(await self._document(place))
        raise Stale

    async def discard(self, place: str, why: str, actor: str) -> dict[str, Any]:
        """Give it up for ever; discarded before, it is answered as it was then. Raises Problem."""
        document = await self._document(place)
        if document["open"]:
            settled = self._settled(document, "discarded", actor, None, why)
            await self._letters.bulk_write([settled])
            document = await self._document(place)
        if document["verdict"] != "discarded":
            when = moment_text(document["at"])
            detail = f"{place} was retried on {when} and is {document['outcome']}; there is nothing more to do."
            raise Problem(409, "dead-letter-settled", "Settled already", detail)
        log.info("dead letter discarded", place=place, actor=actor)
        return self._shown(document)

    def _settled(
        self, document: Document, verdict: str, actor: str, outcome: str | None, why: str | None = None
    ) -> ReplaceOne[Document]:
        place = document["_id"]
        kept = {name: document[name] for name in ("subscriber", "source", "type", "reason", "received", "arrived")}
        decided = {
            "open": False,
            "event": None,
            "verdict": verdict,
            "outcome": outcome,
            "why": None if why is None else self._keyring.seal.close({"why": why}, f"verdict/{place}"),
            "by": actor,
            "at": self._clock.now(),
        }
        return ReplaceOne({"_id": place, "open": True}, {**kept, **decided})

    async def _document(self, place: str) -> Document:
        document = await self._letters.find_one({"_id": place})
        if document is None:
            detail = f"There is no dead letter {place[:200]!r} in {self._service}; open ones are kept for 30 days."
            raise Problem(404, "unknown-dead-letter", "Unknown dead letter", detail)
        return document

    async def _opened(self, document: Document) -> DeadLetter:
        try:
            (payload,) = await open_payloads(self._keyring, "quarantine", [document])
        except Unsealable as error:
            detail = f"{document['_id']} was sealed with another key: restore this installation's key file."
            raise Problem(409, "unsealable", "Cannot be opened", detail) from error
        if payload is None:
            detail = f"Whom {document['_id']} was about has been erased since; discard it."
            raise Problem(409, "erased", "Erased", detail)
        return letter_of(document, payload)

    def _discarded(self, document: Document) -> Problem:
        when = moment_text(document["at"])
        detail = f"{document['_id']} was discarded on {when}, its payload is gone; there is nothing more to do."
        return Problem(409, "dead-letter-settled", "Settled already", detail)

    def _shown(self, document: Document) -> dict[str, Any]:
        topic, _, rest = document["_id"].partition("/")
        partition, _, offset = rest.partition("/")
        shown = {
            "id": document["_id"],
            "service": self._service,
            "subscriber": f"{self._service}-{document['subscriber']}",
            "topic": topic,
            "partition": int(partition) if offset else None,
            "offset": int(offset) if offset else None,
            "source": document["source"],
            "type": document["type"],
            "reason": document["reason"],
            "set_aside_at": moment_text(document["received"]),
            "state": "open" if document["open"] else document["verdict"],
        }
        if document["open"]:
            return shown
        settled = {"outcome": document["outcome"], "by": document["by"], "settled_at": moment_text(document["at"])}
        return shown | settled


def _behind(after: str) -> Document:
    """What comes after the letter that `next` named."""
    moment, _, place = after.partition(" ")
    try:
        received = datetime.fromisoformat(moment)
    except ValueError as error:
        detail = "That is no `next` of a page before: send it as it was given, or begin without after."
        raise Problem(422, "invalid", "Invalid request", detail) from error
    return {"$or": [{"received": {"$gt": received}}, {"received": received, "_id": {"$gt": place}}]}


def _readable(raw: bytes | None) -> str | None:
    """As text; what is none, as hexadecimal digits after `0x`."""
    if raw is None:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return f"0x{raw.hex()}"
