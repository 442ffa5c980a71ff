"""Another master key: what the master key itself closed in a service's database is closed anew.

That is what belongs to nobody (yet): letters, early records, uploads, verdicts on them, answers about
nobody, parked events. Keys of persons are the keyring's affair, and what those closed stays as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pymongo import UpdateOne

from shared.plumbing.database import Database, Document
from shared.plumbing.sealing import MARK_BYTES, Seal

AT_ONCE = 500


@dataclass(frozen=True)
class Closed:
    """A field of the collections with this name or ending, and what its bytes are bound to."""

    collection: str
    field: str
    place: Callable[[Document], str]


CLOSED = (
    Closed("early", "sealed", lambda one: f"early/{one['_id']}"),
    Closed("answers", "sealed", lambda one: f"answers/{one['_id']}"),
    Closed("quarantine", "sealed", lambda one: f"quarantine/{one['_id']}"),
    Closed("quarantine", "why", lambda one: f"verdict/{one['_id']}"),
    Closed("import_chunks", "sealed", lambda one: f"import_chunks/{one['_id']}"),
    Closed("import_chunks", "verdicts", lambda one: f"import_chunks/{one['_id']}/verdicts"),
    Closed(".parked", "key", lambda one: str(one["place"])),
    Closed(".parked", "payload", lambda one: str(one["place"])),
)
"""All of it; `tests/component/test_customer_at_rest.py` finds what is missing here."""


async def reseal(database: Database, seal: Seal) -> int:
    """Close with the seal's own key what another one of its keys closed; answers how much that was.

    Safe to repeat and to run beside the service. Raises Unsealable for what none of its keys opens.
    """
    moved = 0
    names = await database.list_collection_names()
    for closed in CLOSED:
        for name in names:
            if name == closed.collection or (closed.collection.startswith(".") and name.endswith(closed.collection)):
                moved += await _resealed(database, name, closed, seal)
    return moved


async def _resealed(database: Database, name: str, closed: Closed, seal: Seal) -> int:
    """What is a person's stays: the key of the person closed it."""
    moved = 0
    changes: list[UpdateOne] = []
    wanted = {"person": {"$exists": False}, closed.field: {"$type": "binData"}}
    async for document in database[name].find(wanted, {closed.field: 1, "place": 1}).batch_size(AT_ONCE):
        before = document[closed.field]
        if before[:MARK_BYTES] == seal.mark:
            continue
        place = closed.place(document)
        after = seal.close(seal.open_bytes(before, place), place)
        changes.append(UpdateOne({"_id": document["_id"], closed.field: before}, {"$set": {closed.field: after}}))
        if len(changes) == AT_ONCE:
            moved += (await database[name].bulk_write(changes, ordered=False)).modified_count
            changes = []
    if changes:
        moved += (await database[name].bulk_write(changes, ordered=False)).modified_count
    return moved
