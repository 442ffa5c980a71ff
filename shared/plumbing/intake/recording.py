"""Writing down what became of each event: receipt, early record, quarantine and tallies, with what it caused."""

import itertools
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from pymongo import DeleteOne, InsertOne, UpdateOne

from shared.plumbing.database import Document
from shared.plumbing.intake.items import Item
from shared.plumbing.intake.reading import Reader
from shared.plumbing.journal import Draft, Ledger
from shared.plumbing.quarantine import DeadLetter, set_aside

SUBSCRIBER = "intake"
Tallies = Counter[tuple[str, str, str]]


class Recorder:
    """Writes into drafts and commits them."""

    def __init__(self, ledger: Ledger, reader: Reader, shard: str) -> None:
        """`shard` keeps the tallies of several processes apart, so that they never wait for one another.

        So do its slots those of transactions under way in one process: whoever writes a tally that another one is
        writing loses the race, and a batch lost it again and again to single events that came over HTTP.
        """
        self._ledger = ledger
        self._reader = reader
        self._new_slots = (f"{shard}.{number}" for number in itertools.count())
        self._free_slots: list[str] = []

    def write(self, draft: Draft, items: Sequence[Item], tallies: Tallies, now: datetime) -> None:
        """What became of the events of a batch."""
        for item in items:
            tallies[item.source, self._reader.name_of(item), item.outcome] += 1
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
                    **wait_of(draft, item),
                    "type": item.type,
                    "place": item.place,
                    "arrived": item.arrived,
                }
                draft.hide(early, body, f"early/{item.receipt_id}", _person(draft, item))
                draft.write("early", InsertOne(early))

    def write_awakened(self, draft: Draft, waiting: Sequence[Item], tallies: Tallies, now: datetime) -> None:
        """What became of early records that were looked at again."""
        for item in waiting:
            if item.outcome == "early":
                if item.waits != item.waited:
                    draft.write("early", UpdateOne({"_id": item.receipt_id}, {"$set": wait_of(draft, item)}))
                continue
            draft.write("early", DeleteOne({"_id": item.receipt_id}))
            tallies[item.source, item.type, item.outcome] += 1
            tallies[item.source, item.type, "early"] -= 1
            if item.outcome == "rejected":
                # The fact was not recorded: it may be told again under another event id.
                draft.write("receipts", UpdateOne({"_id": item.receipt_id}, {"$unset": {"identity": ""}}))
                self._quarantine(draft, item, now)

    async def commit(self, draft: Draft, tallies: Tallies) -> None:
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

    def _quarantine(self, draft: Draft, item: Item, now: datetime) -> None:
        letter = DeadLetter(
            item.place,
            SUBSCRIBER,
            item.reason,
            now,
            item.arrived,
            item.raw,
            item.key,
            item.headers,
            item.source,
            item.type,
            item.event.id if item.event else None,
            self._reader.name_of(item),
            _person(draft, item),
        )
        set_aside(draft, letter)


def _person(draft: Draft, item: Item) -> str | None:
    """Whom an event is about; None where it was not understood, or tells of something not yet known."""
    if item.task is None:
        return None
    return draft.now[item.task.aggregate.collection, item.task.subject].key or item.task.person


def wait_of(draft: Draft, item: Item) -> Document:
    """What an early record waits for, and the version of it that was not enough."""
    if item.waits is None:
        raise ValueError("only an early record waits")
    collection, subject = item.waits
    return {"waits": subject, "collection": collection, "seen": draft.read[collection, subject].version}
