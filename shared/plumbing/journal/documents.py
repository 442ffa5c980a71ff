"""States as documents: what is stored of a draft, and what is read of a document."""

from collections.abc import Iterable, Mapping
from typing import Any

from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateOne

from shared.contracts.state import Part
from shared.plumbing.database import Document
from shared.plumbing.hiding import Hidden, Opened, hide, mark
from shared.plumbing.journal.drafts import Draft
from shared.plumbing.journal.tasks import OWNER, Aggregate, Loaded, S
from shared.plumbing.sealing import BlindIndex


def writes_of(blind: BlindIndex, draft: Draft, hidden: list[Hidden]) -> list[tuple[str, list[Any]]]:
    """What is to be written, each part to one collection; what must be sealed for it is added to `hidden`."""
    writes: dict[str, list[Any]] = {}
    kept: dict[tuple[str, str], tuple[Document, str | None]] = {}
    left: dict[tuple[str, str], str] = {}  # what one subject gives up another may take over
    for (collection, subject), loaded in draft.now.items():
        before = draft.read[collection, subject]
        if loaded.version == before.version or loaded.state is None:
            continue
        aggregate = draft.aggregates[collection]
        document = _document(blind, aggregate, subject, loaded, hidden)
        if aggregate.marks is not None:
            document["marks"] = tags_of(blind, aggregate.marks(loaded.state))
        if before.version == 0:
            writes.setdefault(collection, []).append(InsertOne(document))
        else:
            guard = {"_id": subject, "version": before.version}
            writes.setdefault(collection, []).append(ReplaceOne(guard, document))
        for name, (part_collection, _) in aggregate.state.PARTS.items():
            old = getattr(before.state, name) if before.state is not None else {}
            new = getattr(loaded.state, name)
            left.update({(part_collection, identifier): subject for identifier in old if identifier not in new})
            for identifier, part in new.items():
                if old.get(identifier) is not part:
                    mine = (subject, loaded.key)
                    one = _part_document(blind, part_collection, identifier, mine, part, hidden)
                    kept[part_collection, identifier] = one, subject if identifier in old else None
    for place, (document, owner) in kept.items():
        guard = {"_id": place[1], "owner": left.pop(place, None) or owner}
        fresh = guard["owner"] is None
        writes.setdefault(place[0], []).append(InsertOne(document) if fresh else ReplaceOne(guard, document))
    for (collection, identifier), owner in left.items():
        writes.setdefault(collection, []).append(DeleteOne({"_id": identifier, "owner": owner}))
    if draft.journal:
        writes["journal"] = [InsertOne(record) for record in draft.journal]
    for collection, operations in draft.extra.items():
        writes.setdefault(collection, []).extend(operations)
    return [(collection, part) for collection, operations in writes.items() for part in _apart(operations)]


def _apart(operations: list[Any]) -> list[list[Any]]:
    """Updates apart from replacements: those of both that find their document are counted as one number."""
    updates = [one for one in operations if isinstance(one, UpdateOne)]
    if not updates or not any(isinstance(one, ReplaceOne) for one in operations):
        return [operations]
    return [[one for one in operations if not isinstance(one, UpdateOne)], updates]


def tags_of(blind: BlindIndex, marks: Iterable[tuple[str, str]]) -> list[bytes]:
    """What stands for these marks in a stored head."""
    return sorted({blind.tag(kind, value) for kind, value in marks})


def head_of(aggregate: Aggregate[S], document: Document, opened: Opened) -> Loaded[S]:
    """A state (without its parts) from its document, which is among those that were opened."""
    return head_with(aggregate, document, opened[aggregate.collection, document["_id"]], {})


def part_of(aggregate: Aggregate[Any], name: str, document: Document, opened: Opened) -> Part:
    """A part from its document, which is among those that were opened."""
    collection, _ = aggregate.state.PARTS[name]
    return part_with(aggregate, name, document, opened[collection, document["_id"]])


def _document(
    blind: BlindIndex, aggregate: Aggregate[S], subject: str, loaded: Loaded[S], hidden: list[Hidden]
) -> Document:
    if loaded.state is None:
        raise ValueError(f"{subject} has no state to store")
    fields = loaded.state.model_dump(mode="python", exclude=set(aggregate.state.PARTS))
    document = {"_id": subject, "version": loaded.version, "key": loaded.key, "recorded": loaded.recorded, **fields}
    if aggregate.owner is not None:
        document[OWNER] = aggregate.owner(loaded.state)
    place = f"{aggregate.collection}/{subject}"
    mark(blind, document, aggregate.state.BLIND)
    hidden.extend(hide(document, aggregate.state.PRIVATE, place, loaded.key, loaded.key))
    return document


def _part_document(
    blind: BlindIndex,
    collection: str,
    identifier: str,
    owner: tuple[str, str | None],
    part: Part,
    hidden: list[Hidden],
) -> Document:
    subject, key = owner
    document = {"_id": identifier, "owner": subject, **part.model_dump(mode="python")}
    mark(blind, document, part.BLIND)
    person = part.person(identifier) or key
    hidden.extend(hide(document, part.PRIVATE, f"{collection}/{identifier}", person, key))
    return document


def head_with(
    aggregate: Aggregate[S], document: Document, opened: Mapping[str, Any], parts: Mapping[str, Any]
) -> Loaded[S]:
    """A state from its document, what was sealed in it, and its parts by field."""
    state = aggregate.state.model_validate({**document, **opened, **parts})
    return Loaded(state, document["version"], document["key"], document["recorded"])


def part_with(aggregate: Aggregate[Any], name: str, document: Document, opened: Mapping[str, Any]) -> Part:
    """A part from its document and what was sealed in it."""
    _, model = aggregate.state.PARTS[name]
    part: Part = model.model_validate({**document, **opened})
    return part
