"""What each commit changed, for those who watch: written with the cursors, read by change stream.

News costs no document of its own: it travels in the cursor's update, and how long it can be read again is what
MongoDB's oplog keeps. Its position is the stream's resume token: it grows with commit order, means the same in every
process and after every restart. Positions are upper-case hexadecimal digits, to be compared as texts.
"""

import re
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from pymongo.errors import OperationFailure

from shared.plumbing.database import Database, Document
from shared.plumbing.store import Writes

MOST_NAMED = 50
"""Facts that news name for each projection; beyond that it only says how many."""
POSITION = re.compile(r"[0-9A-F]{8,1000}")
WAIT_MS = 500


class PositionLost(Exception):
    """What came after this position can no longer be told, or it is none of ours: ask for the numbers afresh."""


@dataclass(frozen=True)
class Touched:
    """Facts of one projection: how many, and the first of them."""

    count: int
    ids: tuple[str, ...]

    def and_then(self, later: "Touched") -> "Touched":
        """Both together; a fact touched twice is named once, but counted twice."""
        return Touched(self.count + later.count, tuple(dict.fromkeys((*self.ids, *later.ids)))[:MOST_NAMED])


@dataclass(frozen=True)
class News:
    """What changed up to `position`; nothing at all in news that only tell how far the stream has been read."""

    position: str
    facts: Mapping[tuple[str, str], Touched] = field(default_factory=dict)
    """By (projection set, projection)."""

    def and_then(self, later: "News") -> "News":
        """One piece of news for both."""
        facts = dict(self.facts)
        for key, touched in later.facts.items():
            facts[key] = facts[key].and_then(touched) if key in facts else touched
        return News(later.position, facts)


def written(writes: Writes) -> str | None:
    """The news of a commit, one text that differs from every other, since an update only tells what it changed."""
    touched: dict[str, list[str]] = {}
    for pages in (writes.new, writes.changed):
        for shelf, changed in pages.items():
            ids = [page.subject for page in changed if page.fact is not None]
            if ids:
                touched.setdefault(shelf, []).extend(ids)
    if not touched:
        return None
    facts = {shelf: [len(ids), ids[:MOST_NAMED]] for shelf, ids in touched.items()}
    return orjson.dumps([uuid.uuid4().hex, facts]).decode()


class NewsStream:
    """Reads the news of some projection sets of one database."""

    def __init__(self, database: Database, sets: Collection[str]) -> None:
        self._database = database
        self._cursors = re.compile(rf"({'|'.join(map(re.escape, sets))})(\.\d+)?\.cursors")
        """Of any generation of the sets: only the live one has news."""

    @asynccontextmanager
    async def after(self, position: str | None) -> AsyncIterator[AsyncIterator[News]]:
        """News behind the position (None: from now on), for ever; empty ones in between tell how far it has read.

        The first one is there at once. Raises PositionLost and database errors.
        """
        match: Document = {
            "operationType": "update",
            "ns.coll": {"$regex": f"^{self._cursors.pattern}$"},
            "updateDescription.updatedFields.news": {"$exists": True},
        }
        pipeline: list[Document] = [
            {"$match": match},
            {"$project": {"ns": 1, "updateDescription.updatedFields.news": 1}},
        ]
        resume = None if position is None else {"_data": position}
        try:
            stream = await self._database.watch(pipeline, resume_after=resume, max_await_time_ms=WAIT_MS)
        except OperationFailure as error:
            raise _lost(error, position) from error
        async with stream, aclosing(self._read(stream, position)) as news:
            yield news

    async def _read(self, stream: Any, position: str | None) -> AsyncGenerator[News]:
        while True:
            try:
                change = await stream.try_next()
            except OperationFailure as error:
                raise _lost(error, position) from error
            reached = stream.resume_token["_data"]
            if change is None:
                yield News(reached)
                continue
            name = self._cursors.sub(r"\1", change["ns"]["coll"])
            _, facts = orjson.loads(change["updateDescription"]["updatedFields"]["news"])
            yield News(reached, {(name, shelf): Touched(count, tuple(ids)) for shelf, (count, ids) in facts.items()})


def _lost(error: OperationFailure, position: str | None) -> Exception:
    return error if position is None else PositionLost(f"{position[:20]}… cannot be resumed from")
