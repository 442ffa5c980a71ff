"""As much of MongoDB in memory as the relay uses: a few operators, and a change stream over inserts with its token.

Every operation goes through the gate of the process that asks.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from bson import Timestamp
from pymongo.errors import AutoReconnect, DuplicateKeyError, OperationFailure

from shared.plumbing.clock import Clock
from tests.support.gate import Gate

Document = dict[str, Any]
T = TypeVar("T")
HISTORY_LOST = 286


class Insert(NamedTuple):
    """One inserted document, and when it was committed."""

    collection: str
    document: Document
    committed: Timestamp


class Disk:
    """What all processes share. `forgotten`: change streams can no longer begin before this place."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.collections: dict[str, dict[Any, Document]] = {}
        self.inserts: list[Insert] = []
        self.forgotten = 0

    @property
    def time(self) -> Timestamp:
        """As an answer of the database says it."""
        return Timestamp(int(self._clock.now().timestamp()), 1)

    def insert(self, collection: str, document: Document) -> None:
        self.collections.setdefault(collection, {})[document["_id"]] = document
        self.inserts.append(Insert(collection, document, self.time))


class MemoryDatabase:
    """One process's way to the disk."""

    def __init__(self, disk: Disk, gate: Gate) -> None:
        self.disk = disk
        self.codec_options = None
        self._gate = gate
        self._streams: dict[int, int] = {}

    def __getitem__(self, name: str) -> "MemoryCollection":
        return MemoryCollection(self, name)

    async def step(self, name: str, work: Callable[[], T]) -> T:
        async def do() -> T:
            return work()

        return await self._gate.step(name, do, AutoReconnect, AutoReconnect)

    def start_session(self, **_: Any) -> "MemoryDatabase":
        """The database stands for its client and sessions, too."""
        return self

    async def __aenter__(self) -> "MemoryDatabase":
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def command(self, command: str, value: int, **options: Any) -> Document:
        if command == "aggregate":
            return await self.step("open stream", lambda: self._open(options["pipeline"][0]["$changeStream"]))
        return await self.step("read stream", lambda: self._more(value, options["batchSize"]))

    def _open(self, asked: Document) -> Document:
        at = asked.get("resumeAfter", len(self.disk.inserts))
        self._refuse_forgotten(at)
        cursor = len(self._streams) + 1
        self._streams[cursor] = at
        return {"cursor": {"id": cursor, "firstBatch": [], "postBatchResumeToken": at}}

    def _more(self, cursor: int, most: int) -> Document:
        at = self._streams[cursor]
        self._refuse_forgotten(at)
        found = self.disk.inserts[at : at + min(most, 3)]
        self._streams[cursor] = at + len(found)
        batch = [
            {"ns": {"coll": insert.collection}, "fullDocument": insert.document, "clusterTime": insert.committed}
            for insert in found
        ]
        answer = {"id": cursor, "nextBatch": batch, "postBatchResumeToken": at + len(found)}
        return {"cursor": answer, "operationTime": self.disk.time}

    def _refuse_forgotten(self, at: int) -> None:
        if at < self.disk.forgotten:
            raise OperationFailure("the resume point is no longer in the oplog", HISTORY_LOST)


class MemoryCollection:
    """Documents by `_id`."""

    def __init__(self, database: MemoryDatabase, name: str) -> None:
        self._database = database
        self._name = name
        self._documents = database.disk.collections.setdefault(name, {})

    def _step(self, name: str, work: Callable[[], T]) -> Awaitable[T]:
        return self._database.step(f"{self._name} {name}", work)

    async def find_one(self, query: Document) -> Document | None:
        found = await self._step("find", lambda: self._matching(query))
        return dict(found[0]) if found else None

    async def update_one(self, query: Document, change: Document, upsert: bool = False) -> "MemoryCollection":
        self.matched_count = int(await self._step("update", lambda: self._update(query, change, upsert)) is not None)
        return self

    async def find_one_and_update(
        self, query: Document, change: Document, upsert: bool = False, return_document: bool = True
    ) -> Document | None:
        return await self._step("update", lambda: self._update(query, change, upsert))

    def find(self, query: Document, *_: Any, **__: Any) -> "Found":
        return Found(lambda: self._step("find", lambda: [dict(found) for found in self._matching(query)]))

    def _matching(self, query: Document) -> list[Document]:
        return [document for document in self._documents.values() if matches(document, query)]

    def _update(self, query: Document, change: Document, upsert: bool) -> Document | None:
        found = self._matching(query)
        if not found:
            if not upsert:
                return None
            if query["_id"] in self._documents:
                raise DuplicateKeyError("E11000")
            found = [self._documents.setdefault(query["_id"], {"_id": query["_id"]})]
        found[0].update(change.get("$set", {}))
        for name, amount in change.get("$inc", {}).items():
            found[0][name] = found[0].get(name, 0) + amount
        return dict(found[0])


class Found:
    """A cursor that asks when it is read."""

    def __init__(self, ask: Callable[[], Awaitable[list[Document]]]) -> None:
        self._ask = ask
        self._order: list[str] = []
        self._most = 10**9

    def sort(self, order: list[tuple[str, int]]) -> "Found":
        self._order = [name for name, _ in order]
        return self

    def limit(self, most: int) -> "Found":
        self._most = most
        return self

    async def to_list(self, _: int | None = None) -> list[Document]:
        found = await self._ask()
        return sorted(found, key=lambda document: [document[name] for name in self._order])[: self._most]

    async def __aiter__(self) -> AsyncIterator[Document]:
        for document in await self.to_list():
            yield document


def matches(document: Document, query: Document) -> bool:
    for name, wanted in query.items():
        if name == "$or":
            if not any(matches(document, one) for one in wanted):
                return False
        elif isinstance(wanted, Mapping):
            if not all(_compares(document, name, operator, value) for operator, value in wanted.items()):
                return False
        elif document.get(name) != wanted:
            return False
    return True


def _compares(document: Document, name: str, operator: str, value: Any) -> bool:
    if operator == "$exists":
        return bool((name in document) == value)
    if name not in document:
        return False
    found = document[name]
    if operator == "$lt":
        return bool(found < value)
    if operator == "$lte":
        return bool(found <= value)
    return bool(found > value if operator == "$gt" else found >= value)
