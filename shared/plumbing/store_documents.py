"""How what a batch committer stores is written in MongoDB: names of collections, ids and documents."""

import sys
from collections.abc import Collection

from aiokafka import TopicPartition

from shared.plumbing.cells import Sums, values_from, values_text
from shared.plumbing.database import Collection as MongoCollection
from shared.plumbing.database import Document, Session
from shared.plumbing.projection import Cut
from shared.plumbing.slips import Added, Slip
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
    """All cursors of a collection, without the news that travel with them: those are longer than all the rest."""
    found = kept.find({}, {"news": 0}, session=session)
    return {place_named(document["_id"]): cursor_of(document) async for document in found}


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


def cut_name(cut: Cut) -> str:
    """As a field is called; the total has a name too."""
    return ",".join(cut) or "*"


class _Steps(dict[str, tuple[str, str]]):
    """Path → `family.m.07` and the name; the same few thousand come again and again."""

    def __missing__(self, path: str) -> tuple[str, str]:
        if len(self) >= MOST_PATHS:
            self.clear()
        family, level, bucket, name = path.split(".", 3)
        self[path] = steps = (sys.intern(f"{family}.{level}.{bucket}"), name)
        return steps


MOST_PATHS = 100_000
_STEPS = _Steps()


def cell_document(key: str, sums: Sums) -> Document:
    """`{_id: key, family: {m: {07: {name: sum}}, d: {0723: {name: sum}}}}`."""
    return {"_id": key, **_below(sums)}


def _below(sums: Sums) -> Document:
    """Sums by the parts of their paths."""
    below: Document = {}
    last, amounts = "", {}
    for path, amount in sums.items():
        bucket, name = _STEPS[path]
        if bucket is not last:  # those of a bucket mostly stand together
            last = bucket
            family, level, of = bucket.split(".")
            amounts = below.setdefault(family, {}).setdefault(level, {}).setdefault(of, {})
        amounts[name] = amount
    return below


def slip_document(slip: Slip) -> Document:
    """`added: {projection: {cut: [{day, month, values, sums}, …]}}`, so that a question reads its own cuts only."""
    added: Document = {}
    for (projection, day), cells in slip.added.items():
        for (cut, month, values), sums in cells.items():
            item = {"day": day, "month": month, "values": values_text(values), "sums": _below(sums)}
            added.setdefault(projection, {}).setdefault(cut_name(cut), []).append(item)
    return {"_id": slip.id, "shard": slip.shard, "records": slip.records, "added": added}


def slip_of(document: Document) -> Slip:
    added: Added = {}
    for projection, cuts in document["added"].items():
        for name, items in cuts.items():
            cut = () if name == "*" else tuple(name.split(","))
            for item in items:
                added.setdefault((projection, item["day"]), {})[cut, item["month"], values_from(item["values"])] = {
                    f"{family}.{level}.{bucket}.{name}": amount
                    for family, levels in item["sums"].items()
                    for level, buckets in levels.items()
                    for bucket, amounts in buckets.items()
                    for name, amount in amounts.items()
                }
    return Slip(document["_id"], document["shard"], document["records"], added)
