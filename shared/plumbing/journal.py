"""The write side: state and journal in one MongoDB transaction (ARCHITECTURE §4).

A state document is the fold of its journal, public and private part; both are written together or not at all.
A subject's `version` is the revision of its last event: replacing the document only where the version is still the
one that was read makes commit order and revision order the same.
"""

import asyncio
import itertools
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

import orjson
from pymongo import DeleteOne, InsertOne, ReplaceOne, ReturnDocument, UpdateOne
from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError

from shared.contracts.decision import Invalid, Said, Scene
from shared.contracts.envelope import Event, moment_text
from shared.contracts.state import Part, State
from shared.plumbing.clock import Clock
from shared.plumbing.crashing import point
from shared.plumbing.database import MAJORITY, SNAPSHOT, Client, Database, Document, Session
from shared.plumbing.sealing import Seal

S = TypeVar("S", bound=State)


@dataclass(frozen=True)
class Aggregate(Generic[S]):
    """How one kind of subject is stored: `evolve` folds one event into the state, `key` gives its partition key."""

    collection: str
    state: type[S]
    evolve: Callable[[S | None, Event, Mapping[str, Any]], S]
    key: Callable[[S], str]


@dataclass(frozen=True)
class Loaded(Generic[S]):
    """A state as read or as decided: version 0 and no state means that the subject does not exist yet."""

    state: S | None
    version: int = 0
    key: str | None = None
    recorded: datetime | None = None


@dataclass(frozen=True)
class Task(Generic[S]):
    """One thing to decide: about which subject, which of its parts and which other subjects must be read for it."""

    aggregate: Aggregate[S]
    subject: str
    decide: Callable[[S | None, Scene], Sequence[Said]]
    parts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    others: tuple[tuple[Aggregate[Any], str], ...] = ()
    sequence: str | None = None
    """The sequence that numbers subjects of this kind: a new one gets its own number."""


@dataclass(frozen=True)
class Cause:
    """Who and what brought an event about; copied into the envelope."""

    actor: str | None = None
    correlation: str | None = None
    causation: str | None = None
    traceparent: str | None = None


class Stale(Exception):
    """Another writer was first, or the transaction was aborted: load again and decide again."""


class EventTooLarge(Invalid):
    """Recorded, it would hold up the relay for ever: topics take records of 1 MiB."""

    STATUS = 413
    SLUG = "event-too-large"


class OutcomeUnknown(Exception):
    """The commit was sent, but whether it landed cannot be told: look again before doing anything."""


COMMIT_PATIENCE_S = 30.0
MAX_EVENT_BYTES = 1_000_000
"""An event as JSON, a little below the 1 MiB of a record with its key and headers."""


class Draft:
    """What one transaction is going to write. Built in memory; decides nothing itself."""

    def __init__(self) -> None:
        self.read: dict[tuple[str, str], Loaded[Any]] = {}
        self.now: dict[tuple[str, str], Loaded[Any]] = {}
        self.aggregates: dict[str, Aggregate[Any]] = {}
        self.numbers: dict[tuple[str, str], int] = {}
        self.journal: list[Document] = []
        self.extra: dict[str, list[Any]] = {}

    def write(self, collection: str, operation: InsertOne[Document] | DeleteOne | UpdateOne) -> None:
        """Another document of the same transaction. A delete that finds nothing makes the commit Stale."""
        self.extra.setdefault(collection, []).append(operation)


class Ledger:
    """State documents and journal of one service."""

    def __init__(self, client: Client, database: Database, seal: Seal, clock: Clock, service: str) -> None:
        self.client = client
        self.database = database
        self.seal = seal
        self.clock = clock
        self.source = f"manyi/{service}"

    async def prepare(self) -> None:
        """Create the collections and indexes of the journal; safe to repeat."""
        await self.database["journal"].create_index([("subject", 1), ("revision", 1)], unique=True)
        await self.database["journal"].create_index("recorded")

    async def load(self, draft: Draft, tasks: Sequence[Task[Any]]) -> None:
        """Read every state the tasks need into the draft: one `find` for each collection.

        Heads are read before parts: a part that changes in between then fails the commit, since its head changed too.
        """
        heads: dict[str, set[str]] = {}
        wanted: dict[str, set[str]] = {}
        part_of: dict[tuple[str, str], tuple[str, str]] = {}
        for task in tasks:
            for aggregate, subject in ((task.aggregate, task.subject), *task.others):
                draft.aggregates[aggregate.collection] = aggregate
                heads.setdefault(aggregate.collection, set()).add(subject)
            for name, ids in task.parts.items():
                collection, _ = task.aggregate.state.PARTS[name]
                wanted.setdefault(collection, set()).update(ids)
                for identifier in ids:
                    part_of[collection, identifier] = (task.aggregate.collection, name)
        documents: dict[str, list[Document]] = {}
        for collection, subjects in heads.items():
            documents[collection] = await self.database[collection].find({"_id": {"$in": list(subjects)}}).to_list()
        fields: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
        for collection, sought in wanted.items():
            async for document in self.database[collection].find({"_id": {"$in": list(sought)}}):
                owner, name = part_of[collection, document["_id"]]
                field_ = fields.setdefault((owner, document["owner"]), {}).setdefault(name, {})
                field_[document["_id"]] = self._part(draft.aggregates[owner], name, document)
        for collection, subjects in heads.items():
            aggregate = draft.aggregates[collection]
            found: dict[str, Loaded[Any]] = {}
            for document in documents[collection]:
                found[document["_id"]] = self._head(aggregate, document, fields.get((collection, document["_id"]), {}))
            for subject in subjects:
                draft.read[collection, subject] = draft.now[collection, subject] = found.get(subject, Loaded(None))
        await self._number(draft, tasks)

    async def _number(self, draft: Draft, tasks: Sequence[Task[Any]]) -> None:
        """Give each new subject its number, outside the transaction: no writer waits for another, and gaps may be."""
        wanted: dict[str, set[tuple[str, str]]] = {}
        for task in tasks:
            place = (task.aggregate.collection, task.subject)
            if task.sequence is not None and draft.read[place].version == 0:
                wanted.setdefault(task.sequence, set()).add(place)
        for sequence, places in wanted.items():
            document = await self.database["sequences"].find_one_and_update(
                {"_id": sequence}, {"$inc": {"last": len(places)}}, upsert=True, return_document=ReturnDocument.AFTER
            )
            if document is None:  # an upsert that answers what it wrote always answers something
                raise Stale
            first = document["last"] - len(places) + 1
            draft.numbers.update(zip(sorted(places), itertools.count(first), strict=False))

    def decide(self, draft: Draft, task: Task[S], now: datetime, cause: Cause) -> Loaded[S]:
        """Run the rule on what the draft holds and note what it said.

        Raises whatever the rule raises (Refusal, TooEarly), and EventTooLarge; then nothing was noted.
        """
        place = (task.aggregate.collection, task.subject)
        loaded: Loaded[S] = draft.now[place]
        others = {identifier: draft.now[other.collection, identifier].state for other, identifier in task.others}
        said = task.decide(loaded.state, Scene(now, others, draft.numbers.get(place)))
        records: list[Document] = []
        for sentence in said:
            loaded, record = self._note(task.aggregate, task.subject, loaded, sentence, now, cause)
            records.append(record)
        draft.journal.extend(records)
        draft.now[place] = loaded
        return loaded

    def _note(
        self,
        aggregate: Aggregate[S],
        subject: str,
        loaded: Loaded[S],
        said: Said,
        now: datetime,
        cause: Cause,
    ) -> tuple[Loaded[S], Document]:
        state = aggregate.evolve(loaded.state, said.event, said.private)
        key = loaded.key or aggregate.key(state)
        recorded = now if loaded.recorded is None else max(now, loaded.recorded)
        revision = loaded.version + 1
        envelope: dict[str, Any] = {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": self.source,
            "type": said.event.TYPE,
            "subject": subject,
            "time": moment_text(said.time),
            "datacontenttype": "application/json",
            "recordedtime": moment_text(recorded),
            "partitionkey": key,
            "revision": revision,
        }
        optional = {
            "timezone": said.timezone,
            "correlationid": cause.correlation,
            "causationid": cause.causation,
            "actor": cause.actor,
            "policyversion": said.policy_version,
            "traceparent": cause.traceparent,
        }
        envelope.update({name: value for name, value in optional.items() if value is not None})
        envelope["data"] = said.event.model_dump(mode="json", by_alias=True, exclude_none=True)
        text = orjson.dumps(envelope)
        if len(text) > MAX_EVENT_BYTES:
            raise EventTooLarge(f"the event would have {len(text)} bytes, at most {MAX_EVENT_BYTES} travel; send less")
        identifier = f"{subject}:{revision}"
        record: Document = {
            "_id": identifier,
            "subject": subject,
            "revision": revision,
            "type": said.event.TYPE,
            "key": key,
            "recorded": recorded,
            "event": text.decode(),
        }
        if said.private:
            record["private"] = self.seal.close(said.private, f"journal/{identifier}")
        return Loaded(state, revision, key, recorded), record

    async def commit(self, draft: Draft) -> None:
        """Write the draft in one majority-committed transaction.

        Raises Stale when another writer was first (nothing was written then), ConnectionFailure when the database
        cannot be reached, OutcomeUnknown when it cannot be told whether the commit landed.
        """
        writes = self._writes(draft)
        if not writes:
            return

        async def body(session: Session) -> None:
            for collection, operations in writes:
                deletes = sum(isinstance(operation, DeleteOne) for operation in operations)
                replaces = sum(isinstance(operation, ReplaceOne) for operation in operations)
                result = await self.database[collection].bulk_write(operations, ordered=False, session=session)
                if result.deleted_count != deletes or (replaces and result.matched_count != replaces):
                    raise Stale

        await in_transaction(self.client, body)

    def _writes(self, draft: Draft) -> list[tuple[str, list[Any]]]:
        writes: dict[str, list[Any]] = {}
        for (collection, subject), loaded in draft.now.items():
            before = draft.read[collection, subject]
            if loaded.version == before.version or loaded.state is None:
                continue
            aggregate = draft.aggregates[collection]
            document = self._document(aggregate, subject, loaded)
            if before.version == 0:
                writes.setdefault(collection, []).append(InsertOne(document))
            else:
                guard = {"_id": subject, "version": before.version}
                writes.setdefault(collection, []).append(ReplaceOne(guard, document))
            for name, (part_collection, _) in aggregate.state.PARTS.items():
                old = getattr(before.state, name) if before.state is not None else {}
                for identifier, part in getattr(loaded.state, name).items():
                    if old.get(identifier) is part:
                        continue
                    part_document = self._part_document(part_collection, identifier, subject, part)
                    operation: InsertOne[Document] | ReplaceOne[Document] = (
                        ReplaceOne({"_id": identifier, "owner": subject}, part_document)
                        if identifier in old
                        else InsertOne(part_document)
                    )
                    writes.setdefault(part_collection, []).append(operation)
        if draft.journal:
            writes["journal"] = [InsertOne(record) for record in draft.journal]
        for collection, operations in draft.extra.items():
            writes.setdefault(collection, []).extend(operations)
        return list(writes.items())

    def _document(self, aggregate: Aggregate[S], subject: str, loaded: Loaded[S]) -> Document:
        if loaded.state is None:
            raise ValueError(f"{subject} has no state to store")
        fields = loaded.state.model_dump(mode="python", exclude=set(aggregate.state.PARTS))
        place = f"{aggregate.collection}/{subject}"
        return {
            "_id": subject,
            "version": loaded.version,
            "key": loaded.key,
            "recorded": loaded.recorded,
            **self._sealed(fields, aggregate.state.PRIVATE, place),
        }

    def _part_document(self, collection: str, identifier: str, owner: str, part: Part) -> Document:
        fields = part.model_dump(mode="python")
        return {"_id": identifier, "owner": owner, **self._sealed(fields, part.PRIVATE, f"{collection}/{identifier}")}

    def _sealed(self, fields: dict[str, Any], private: frozenset[str], place: str) -> Document:
        hidden = {name: fields.pop(name) for name in private if name in fields}
        if any(value is not None and value != {} for value in hidden.values()):
            fields["sealed"] = self.seal.close(hidden, place)
        return fields

    def _head(self, aggregate: Aggregate[S], document: Document, parts: Mapping[str, Any]) -> Loaded[S]:
        hidden = self.seal.open(document.get("sealed"), f"{aggregate.collection}/{document['_id']}")
        state = aggregate.state.model_validate({**document, **hidden, **parts})
        return Loaded(state, document["version"], document["key"], document["recorded"])

    def _part(self, aggregate: Aggregate[Any], name: str, document: Document) -> Part:
        collection, model = aggregate.state.PARTS[name]
        hidden = self.seal.open(document.get("sealed"), f"{collection}/{document['_id']}")
        part: Part = model.model_validate({**document, **hidden})
        return part

    def read_head(self, aggregate: Aggregate[S], document: Document) -> Loaded[S]:
        """A state (without its parts) from a document found by a view's query."""
        return self._head(aggregate, document, {})

    def read_part(self, aggregate: Aggregate[Any], name: str, document: Document) -> Part:
        """A part from a document found by a view's query."""
        return self._part(aggregate, name, document)


async def in_transaction(client: Client, body: Callable[[Session], Awaitable[None]]) -> None:
    """Run `body` in one snapshot transaction with majority and journal.

    Raises Stale for every lost race (nothing was written), OutcomeUnknown when the commit was sent and its answer did
    not come within COMMIT_PATIENCE_S, ConnectionFailure when the database could not be reached before that.
    """
    async with client.start_session() as session:
        await session.start_transaction(read_concern=SNAPSHOT, write_concern=MAJORITY)
        try:
            point("journal.write")
            await body(session)
            point("journal.written")
        except BaseException as error:
            await session.abort_transaction()
            if isinstance(error, OperationFailure) and _is_lost_race(error):
                raise Stale from error
            raise
        await _commit(session)
        point("journal.committed")


async def _commit(session: Session) -> None:
    """Repeat the commit while its outcome is unknown, as the driver specification allows."""
    deadline = time.monotonic() + COMMIT_PATIENCE_S
    while True:
        try:
            await session.commit_transaction()
        except PyMongoError as error:
            if error.has_error_label("UnknownTransactionCommitResult"):
                if time.monotonic() > deadline:
                    raise OutcomeUnknown from error
                await asyncio.sleep(0.1)
                continue
            if error.has_error_label("TransientTransactionError"):
                raise Stale from error
            raise
        else:
            return


def _is_lost_race(error: OperationFailure) -> bool:
    if isinstance(error, DuplicateKeyError) or error.has_error_label("TransientTransactionError"):
        return True
    details = error.details or {}
    return any(item.get("code") in (11000, 112) for item in details.get("writeErrors", []))
