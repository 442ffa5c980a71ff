"""Reading every state that tasks need into a draft."""

import itertools
from collections.abc import Sequence
from typing import Any

from pymongo import ReturnDocument

from shared.plumbing.database import Database, Document
from shared.plumbing.hiding import open_documents
from shared.plumbing.journal.documents import head_with, part_with
from shared.plumbing.journal.drafts import Draft
from shared.plumbing.journal.tasks import Loaded, Task
from shared.plumbing.journal.transaction import Stale
from shared.plumbing.keyring import Keyring


async def load(database: Database, keyring: Keyring, draft: Draft, tasks: Sequence[Task[Any]]) -> None:
    """Read every state the tasks need into the draft: one `find` for each collection.

    Heads are read before parts: a part that changes in between then fails the commit, since its head changed too.
    """
    heads: dict[str, set[str]] = {}
    wanted: dict[str, list[Document]] = {}
    part_of: dict[str, tuple[str, str]] = {}
    for task in tasks:
        for aggregate, subject in ((task.aggregate, task.subject), *task.others):
            draft.aggregates[aggregate.collection] = aggregate
            heads.setdefault(aggregate.collection, set()).add(subject)
        for name in (*task.parts, *task.whole):
            collection, _ = task.aggregate.state.PARTS[name]
            part_of[collection] = (task.aggregate.collection, name)
            ids = {"_id": {"$in": list(task.parts[name])}} if name in task.parts else {"owner": task.subject}
            wanted.setdefault(collection, []).append(ids)
    found = {collection: await _heads(database, draft, collection, sought) for collection, sought in heads.items()}
    for collection, queries in wanted.items():
        found[collection] = await database[collection].find(_any(queries)).to_list()
    opened = await open_documents(
        keyring,
        [(collection, document) for collection, documents in found.items() for document in documents],
    )
    fields: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for collection in wanted:
        for document in found[collection]:
            owner, name = part_of[collection]
            field_ = fields.setdefault((owner, document["owner"]), {}).setdefault(name, {})
            hidden = opened[collection, document["_id"]]
            field_[document["_id"]] = part_with(draft.aggregates[owner], name, document, hidden)
    for collection, subjects in heads.items():
        aggregate = draft.aggregates[collection]
        loaded: dict[str, Loaded[Any]] = {}
        for document in found[collection]:
            place = (collection, document["_id"])
            loaded[document["_id"]] = head_with(aggregate, document, opened[place], fields.get(place, {}))
        for subject in subjects:
            draft.read[collection, subject] = draft.now[collection, subject] = loaded.get(subject, Loaded(None))
    await _number(database, draft, tasks)


async def _heads(database: Database, draft: Draft, collection: str, subjects: set[str]) -> list[Document]:
    """The heads, and those that stand in for some of them; `subjects` grows by these."""
    documents = await database[collection].find({"_id": {"$in": list(subjects)}}).to_list()
    moved = draft.aggregates[collection].moved
    homes = {one["_id"]: one[moved] for one in documents if moved is not None and one.get(moved) is not None}
    draft.homes.update({(collection, one): (collection, home) for one, home in homes.items()})
    further = set(homes.values()) - subjects
    if further:
        subjects |= further
        documents += await database[collection].find({"_id": {"$in": list(further)}}).to_list()
    return documents


async def _number(database: Database, draft: Draft, tasks: Sequence[Task[Any]]) -> None:
    """Give each new subject its number, outside the transaction: no writer waits for another, and gaps may be."""
    wanted: dict[str, set[tuple[str, str]]] = {}
    for task in tasks:
        place = (task.aggregate.collection, task.subject)
        if task.sequence is not None and draft.read[place].version == 0:
            wanted.setdefault(task.sequence, set()).add(place)
    for sequence, places in wanted.items():
        document = await database["sequences"].find_one_and_update(
            {"_id": sequence}, {"$inc": {"last": len(places)}}, upsert=True, return_document=ReturnDocument.AFTER
        )
        if document is None:  # an upsert that answers what it wrote always answers something
            raise Stale
        first = document["last"] - len(places) + 1
        draft.numbers.update(zip(sorted(places), itertools.count(first), strict=False))


def _any(queries: Sequence[Document]) -> Document:
    """What answers one of the queries; those by id become one."""
    by_id = [one["_id"]["$in"] for one in queries if "_id" in one]
    together = [{"_id": {"$in": [one for ids in by_id for one in ids]}}] if by_id else []
    return {"$or": [*together, *(one for one in queries if "_id" not in one)]}
