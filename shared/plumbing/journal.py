"""The write side: state and journal in one MongoDB transaction (ARCHITECTURE §4).

A state document is the fold of its journal, public and private part; both are written together or not at all.
A subject's `version` is the revision of its last event: replacing the document only where the version is still the
one that was read makes commit order and revision order the same.
"""

import asyncio
import itertools
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import orjson
from pymongo import DeleteOne, InsertOne, ReplaceOne, ReturnDocument, UpdateOne
from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError

from shared.contracts.decision import Invalid, Said, Scene
from shared.contracts.envelope import Event, moment_text
from shared.contracts.state import Part, State
from shared.plumbing.abandoned import Abandoned
from shared.plumbing.audit.chains import Chains, journal_content
from shared.plumbing.clock import Clock
from shared.plumbing.crashing import point
from shared.plumbing.database import MAJORITY, SNAPSHOT, Client, Database, Document, Session
from shared.plumbing.hiding import Hidden, Opened, close, hide, mark, open_documents
from shared.plumbing.keyring import Keyring
from shared.plumbing.sealing import BlindIndex

if TYPE_CHECKING:
    from shared.plumbing.grouping import Groups

S = TypeVar("S", bound=State)


OWNER = "owned_by"
"""Field of a state document that names its owner, for lists of what somebody owns."""


@dataclass(frozen=True)
class Aggregate(Generic[S]):
    """How one kind of subject is stored: `evolve` folds one event into the state, `key` gives its partition key.

    `marks` are (kind, value) by which a head is found although they are sealed: stored beside it as blind tags.
    `owner` names whoever is answerable for it, by whom rights reach rows; without it nobody owns one of this kind.
    """

    collection: str
    state: type[S]
    evolve: Callable[[S | None, Event, Mapping[str, Any]], S]
    key: Callable[[S], str]
    marks: Callable[[S], Iterable[tuple[str, str]]] | None = None
    owner: Callable[[S], str | None] | None = None
    moved: str | None = None
    """Field of the state that names the subject standing in for it, one that does not stand itself elsewhere."""


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
    person: str | None = None
    """Whose personal data the request carries, while there is no state yet that tells."""
    whole: frozenset[str] = frozenset()
    """Fields of which every part of the subject is needed."""
    follow: bool = True
    """Decided by the subject that stands in for this one, where there is one."""
    forgets: str | None = None
    """Whose keys are destroyed, with those of all within, when this is decided: nothing sealed for them is left."""
    rows: tuple[tuple[Aggregate[Any], str], ...] = ()
    """Those of `others` about whom the caller's right is asked, instead of the subject: what is asked for them."""


@dataclass(frozen=True)
class Cause:
    """Who and what brought an event about; copied into the envelope."""

    actor: str | None = None
    correlation: str | None = None
    causation: str | None = None
    traceparent: str | None = None
    right: Mapping[str, str] | None = None
    """By which right it was done, for the audit: actor, action, version of the roles table."""


class Stale(Exception):
    """Another writer was first, or the transaction was aborted: load again and decide again."""


class EventTooLarge(Invalid):
    """Recorded, it would hold up the relay for ever: topics take records of 1 MiB."""

    STATUS = 413
    SLUG = "event-too-large"


class OutcomeUnknown(Exception):
    """The commit was sent, but whether it landed cannot be told: look again before doing anything."""


COMMIT_PATIENCE_S = 30.0
UNSEALED = {"$unset": {"sealed": "", "person": "", "blind": ""}}
WITH_PAYLOADS = ("early", "quarantine", "answers")
"""Collections beside states and journal that keep what was sent or answered, sealed."""
MAX_EVENT_BYTES = 1_000_000
"""An event as JSON, a little below the 1 MiB of a record with its key and headers."""


class Draft:
    """What one transaction is going to write. Built in memory; decides nothing itself."""

    def __init__(self) -> None:
        self.read: dict[tuple[str, str], Loaded[Any]] = {}
        self.now: dict[tuple[str, str], Loaded[Any]] = {}
        self.aggregates: dict[str, Aggregate[Any]] = {}
        self.numbers: dict[tuple[str, str], int] = {}
        self.homes: dict[tuple[str, str], tuple[str, str]] = {}
        self.journal: list[Document] = []
        self.extra: dict[str, list[Any]] = {}
        self.hidden: list[Hidden] = []
        self.forgotten: list[Task[Any]] = []

    def write(
        self, collection: str, operation: InsertOne[Document] | DeleteOne | UpdateOne | ReplaceOne[Document]
    ) -> None:
        """Another document of the same transaction. A delete or replacement that finds nothing makes it Stale."""
        self.extra.setdefault(collection, []).append(operation)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """What is decided within is noted as a whole, or not at all."""
        now, journal, hidden, forgotten = dict(self.now), len(self.journal), len(self.hidden), len(self.forgotten)
        try:
            yield
        except BaseException:
            self.now = now
            del self.journal[journal:], self.hidden[hidden:], self.forgotten[forgotten:]
            raise

    def hide(
        self, document: Document, content: Mapping[str, Any] | bytes, place: str, person: str | None = None
    ) -> None:
        """Have `content` sealed into `document["sealed"]` when it is committed, as personal data of `person`."""
        self.hidden.append(Hidden(document, "sealed", content, place, person, person))


class Ledger:
    """State documents and journal of one service."""

    def __init__(self, client: Client, database: Database, keyring: Keyring, clock: Clock, service: str) -> None:
        self.client = client
        self.database = database
        self.keyring = keyring
        self.clock = clock
        self.source = f"manyi/{service}"
        self._abandoned = Abandoned(client)
        self.chains: Chains | None = None
        """Where every event of a commit gets its place in the audit."""
        self.groups: Groups | None = None
        """Where this process's commands gather for their common transactions; made by the first of them."""

    async def prepare(self) -> None:
        """Create the collections and indexes of the journal; safe to repeat.

        Raises SystemExit when there are sealed journals, but no key at all.
        """
        await self.keyring.prepare()
        if await self.keyring.is_empty() and await self.database["journal"].find_one({"person": {"$exists": True}}):
            raise SystemExit(
                f"the database {self.database.name} holds personal data, but the database of its keys is empty: "
                "restore the keys (they are backed up apart from the data), then start again"
            )
        await self.database["journal"].create_index([("subject", 1), ("revision", 1)], unique=True)
        await self.database["journal"].create_index("recorded")
        await self.database["journal"].create_index(
            [("link.actor", 1), ("recorded", -1)], partialFilterExpression={"link.actor": {"$exists": True}}
        )

    async def load(self, draft: Draft, tasks: Sequence[Task[Any]]) -> None:
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
        found = {collection: await self._heads(draft, collection, sought) for collection, sought in heads.items()}
        for collection, queries in wanted.items():
            found[collection] = await self.database[collection].find(_any(queries)).to_list()
        opened = await open_documents(
            self.keyring,
            [(collection, document) for collection, documents in found.items() for document in documents],
        )
        fields: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
        for collection in wanted:
            for document in found[collection]:
                owner, name = part_of[collection]
                field_ = fields.setdefault((owner, document["owner"]), {}).setdefault(name, {})
                hidden = opened[collection, document["_id"]]
                field_[document["_id"]] = _part(draft.aggregates[owner], name, document, hidden)
        for collection, subjects in heads.items():
            aggregate = draft.aggregates[collection]
            loaded: dict[str, Loaded[Any]] = {}
            for document in found[collection]:
                place = (collection, document["_id"])
                loaded[document["_id"]] = _head(aggregate, document, opened[place], fields.get(place, {}))
            for subject in subjects:
                draft.read[collection, subject] = draft.now[collection, subject] = loaded.get(subject, Loaded(None))
        await self._number(draft, tasks)

    async def _heads(self, draft: Draft, collection: str, subjects: set[str]) -> list[Document]:
        """The heads, and those that stand in for some of them; `subjects` grows by these."""
        documents = await self.database[collection].find({"_id": {"$in": list(subjects)}}).to_list()
        moved = draft.aggregates[collection].moved
        homes = {one["_id"]: one[moved] for one in documents if moved is not None and one.get(moved) is not None}
        draft.homes.update({(collection, one): (collection, home) for one, home in homes.items()})
        further = set(homes.values()) - subjects
        if further:
            subjects |= further
            documents += await self.database[collection].find({"_id": {"$in": list(further)}}).to_list()
        return documents

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
        if task.follow:
            place = draft.homes.get(place, place)
        loaded: Loaded[S] = draft.now[place]
        others = {identifier: draft.now[other.collection, identifier].state for other, identifier in task.others}
        said = task.decide(loaded.state, Scene(now, others, draft.numbers.get(place)))
        records: list[Document] = []
        hidden: list[Hidden] = []
        for sentence in said:
            loaded, record = self._note(task.aggregate, place[1], loaded, sentence, now, cause)
            records.append(record)
            if sentence.private:
                person, about = sentence.person or record["key"], f"journal/{record['_id']}"
                hidden.append(Hidden(record, "private", sentence.private, about, person, record["key"]))
        draft.journal.extend(records)
        draft.hidden.extend(hidden)
        if said and task.forgets is not None:
            draft.forgotten.append(task)
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
        if cause.right is not None:
            record["link"] = dict(cause.right)
        return Loaded(state, revision, key, recorded), record

    async def commit(self, draft: Draft) -> None:
        """Write the draft in one majority-committed transaction.

        Raises Stale when another writer was first (nothing was written then), ConnectionFailure when the database
        cannot be reached, OutcomeUnknown when it cannot be told whether the commit landed.
        """
        if self.chains is None or not draft.journal:
            await self._commit(draft)
            return
        with self.chains.one(rewind=Stale) as chain:
            for record in draft.journal:
                right = record.get("link", {})
                record["link"] = {**right, **chain.link(journal_content(record))}
            await self._commit(draft)

    async def _commit(self, draft: Draft) -> None:
        hidden = list(draft.hidden)
        writes = self._writes(draft, hidden)
        if not writes:
            return
        gone = {task.forgets for task in draft.forgotten}
        made = await close(self.keyring, [one for one in hidden if one.person is None or one.person not in gone])

        async def body(session: Session) -> None:
            if made:
                await self.keyring.add(made, session)
            for task in draft.forgotten:
                await self._forget(task, session)
            for collection, operations in writes:
                deletes = sum(isinstance(operation, DeleteOne) for operation in operations)
                replaces = sum(isinstance(operation, ReplaceOne) for operation in operations)
                result = await self.database[collection].bulk_write(operations, ordered=False, session=session)
                if result.deleted_count != deletes or (replaces and result.matched_count != replaces):
                    raise Stale

        try:
            await in_transaction(self.client, body)
        except Stale:
            await self._abandoned.end()
            raise
        finally:
            if draft.forgotten:
                self.keyring.forget()

    async def _forget(self, task: Task[Any], session: Session) -> None:
        persons = await self.keyring.destroy(str(task.forgets), session)
        for collection in WITH_PAYLOADS:
            # Answers tell of a whole subject: those about the one around a person go with the person.
            whose = [*persons, task.person] if collection == "answers" else persons
            await self.database[collection].delete_many({"person": {"$in": whose}}, session=session)
        for collection, _ in task.aggregate.state.PARTS.values():
            mine = {"owner": task.subject, "person": {"$in": persons}}
            await self.database[collection].update_many(mine, UNSEALED, session=session)

    def _writes(self, draft: Draft, hidden: list[Hidden]) -> list[tuple[str, list[Any]]]:
        writes: dict[str, list[Any]] = {}
        kept: dict[tuple[str, str], tuple[Document, str | None]] = {}
        left: dict[tuple[str, str], str] = {}  # what one subject gives up another may take over
        for (collection, subject), loaded in draft.now.items():
            before = draft.read[collection, subject]
            if loaded.version == before.version or loaded.state is None:
                continue
            aggregate = draft.aggregates[collection]
            document = _document(self.keyring.blind, aggregate, subject, loaded, hidden)
            if aggregate.marks is not None:
                document["marks"] = self.tags(aggregate.marks(loaded.state))
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
                        one = _part_document(self.keyring.blind, part_collection, identifier, mine, part, hidden)
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
        return list(writes.items())

    def tags(self, marks: Iterable[tuple[str, str]]) -> list[bytes]:
        """What stands for these marks in a stored head."""
        return sorted({self.keyring.blind.tag(kind, value) for kind, value in marks})

    async def open(self, documents: Iterable[tuple[str, Document]]) -> Opened:
        """What is sealed in documents (with their collections) found by a view's query: one look for all their keys."""
        return await open_documents(self.keyring, documents)

    async def read_heads(self, aggregate: Aggregate[S], documents: Sequence[Document]) -> list[Loaded[S]]:
        """States (without their parts) from documents found by a view's query."""
        opened = await self.open([(aggregate.collection, document) for document in documents])
        return [head_of(aggregate, document, opened) for document in documents]

    async def read_head(self, aggregate: Aggregate[S], document: Document) -> Loaded[S]:
        """A state (without its parts) from a document found by a view's query."""
        return (await self.read_heads(aggregate, [document]))[0]

    async def read_parts(self, aggregate: Aggregate[Any], name: str, documents: Sequence[Document]) -> list[Part]:
        """Parts from documents found by a view's query."""
        collection, _ = aggregate.state.PARTS[name]
        opened = await self.open([(collection, document) for document in documents])
        return [part_of(aggregate, name, document, opened) for document in documents]


def head_of(aggregate: Aggregate[S], document: Document, opened: Opened) -> Loaded[S]:
    """A state (without its parts) from its document, which is among those that were opened."""
    return _head(aggregate, document, opened[aggregate.collection, document["_id"]], {})


def part_of(aggregate: Aggregate[Any], name: str, document: Document, opened: Opened) -> Part:
    """A part from its document, which is among those that were opened."""
    collection, _ = aggregate.state.PARTS[name]
    return _part(aggregate, name, document, opened[collection, document["_id"]])


def _any(queries: Sequence[Document]) -> Document:
    """What answers one of the queries; those by id become one."""
    by_id = [one["_id"]["$in"] for one in queries if "_id" in one]
    together = [{"_id": {"$in": [one for ids in by_id for one in ids]}}] if by_id else []
    return {"$or": [*together, *(one for one in queries if "_id" not in one)]}


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


def _head(
    aggregate: Aggregate[S], document: Document, opened: Mapping[str, Any], parts: Mapping[str, Any]
) -> Loaded[S]:
    state = aggregate.state.model_validate({**document, **opened, **parts})
    return Loaded(state, document["version"], document["key"], document["recorded"])


def _part(aggregate: Aggregate[Any], name: str, document: Document, opened: Mapping[str, Any]) -> Part:
    _, model = aggregate.state.PARTS[name]
    part: Part = model.model_validate({**document, **opened})
    return part


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
