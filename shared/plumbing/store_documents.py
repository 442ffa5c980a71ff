"""How what a batch committer stores is written in MongoDB: names of collections, ids and documents."""

from collections.abc import Collection

from aiokafka import TopicPartition

from shared.plumbing.database import Collection as MongoCollection
from shared.plumbing.database import Document, Session
from shared.plumbing.store import Change, Cursor, First, Page


def collection_name(projection_set: str, part: str) -> str:
    return f"{projection_set}.{part}"


def place_names(places: Collection[TopicPartition]) -> list[str]:
    return [place_name(place) for place in places]


def place_name(place: TopicPartition) -> str:
    return f"{place.topic}/{place.partition}"


def place_named(name: str) -> TopicPartition:
    topic, _, partition = name.rpartition("/")
    return TopicPartition(topic, int(partition))


def cursor_of(document: Document) -> Cursor:
    return Cursor(document["next"], document["epoch"], document["recorded"])


async def cursors_from(kept: MongoCollection, session: Session | None = None) -> dict[TopicPartition, Cursor]:
    """All cursors of a collection."""
    return {place_named(document["_id"]): cursor_of(document) async for document in kept.find({}, session=session)}


def change_id(shelf: str, subject: str, revision: int) -> Document:
    return {"shelf": shelf, "subject": subject, "revision": revision}


def change_document(change: Change) -> Document:
    return {
        "_id": change_id(change.projection, change.subject, change.revision),
        "event": change.event,
        "type": change.type,
        "day": change.day,
        "undo": change.undo,
    }


def change_of(document: Document) -> Change:
    key = document["_id"]
    return Change(
        key["shelf"],
        key["subject"],
        key["revision"],
        document["event"],
        document["type"],
        document["day"],
        document["undo"],
    )


def page_document(page: Page) -> Document:
    return {
        "_id": page.subject,
        "revision": page.revision,
        "event": page.event,
        "day": page.day,
        "born": page.born,
        "fact": page.fact,
        "parked": page.parked,
        "first": None if page.first is None else [page.first.revision, page.first.event, page.first.type],
    }


def page_of(document: Document) -> Page:
    return Page(
        document["_id"],
        document["revision"],
        document["event"],
        document["day"],
        document["born"],
        document["fact"],
        document["parked"],
        First(*document["first"]) if document["first"] is not None else None,
    )


def changes_between(shelf: str, first: str, last: str) -> Document:
    """Filter for the changes of all subjects from `first` to `last`."""
    return {"_id": {"$gte": change_id(shelf, first, 0), "$lte": change_id(shelf, last, 2**62)}}
