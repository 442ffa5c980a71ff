"""What all who take records in batches do alike: settle a batch whole or in halves, set aside what is unreadable."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pymongo import UpdateOne

from shared.plumbing.database import Document
from shared.plumbing.journal import Draft, Stale
from shared.plumbing.telemetry import QUARANTINED

Item = TypeVar("Item")
ATTEMPTS = 4


async def settle(items: Sequence[Item], attempt: Callable[[Sequence[Item]], Awaitable[None]]) -> None:
    """Take all in one transaction; after ATTEMPTS lost races in halves, so that one record cannot hold up many.

    Raises Stale when a single record lost every race, and whatever else `attempt` raises.
    """
    for _ in range(ATTEMPTS):
        try:
            await attempt(items)
        except Stale:
            continue
        else:
            return
    if len(items) <= 1:
        raise Stale("a record could not be committed for being overtaken every time; it is tried again later")
    middle = len(items) // 2
    overtaken: Stale | None = None
    for half in (items[:middle], items[middle:]):
        try:
            await settle(half, attempt)
        except Stale as error:  # the other half is taken all the same
            overtaken = error
    if overtaken is not None:
        raise overtaken


@dataclass(frozen=True)
class Unread:
    """A record that is set aside: its place (topic/partition/offset), why, and what of it could be told."""

    place: str
    raw: bytes
    reason: str | None
    source: str = "?"
    type: str = "?"
    event: str | None = None
    person: str | None = None
    """Whom it is about, where that could be told."""


def set_aside(draft: Draft, unread: Unread, now: datetime) -> None:
    """Put it into `quarantine`, payload sealed, in the draft's transaction; the same place only once."""
    QUARANTINED.labels(unread.place.split("/", maxsplit=1)[0]).inc()
    document: Document = {
        "source": unread.source,
        "event": unread.event,
        "type": unread.type,
        "reason": unread.reason,
        "received": now,
    }
    draft.hide(document, unread.raw, f"quarantine/{unread.place}", unread.person)
    draft.write("quarantine", UpdateOne({"_id": unread.place}, {"$setOnInsert": document}, upsert=True))
