"""Generations of a projection set: which one answers, which grows beside it, which may go.

One document per set says so. Readers read it within their moment, counters after their claim; it changes in one
transaction with the cursors of the generation it takes leave of. Hence no reader sees half a swap, and whoever still
counts into the former generation misses at its next commit, claims again and finds the new one. So that the new one
is never behind what was seen already, live counting stands still while the last few records are caught up with.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from collections.abc import Collection as Some
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aiokafka import TopicPartition
from pymongo import ReturnDocument, UpdateOne
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern

from shared.plumbing.crashing import point
from shared.plumbing.database import MAJORITY, SNAPSHOT, Database, Document, Session
from shared.plumbing.store_documents import collection_name, cursors_from, place_name
from shared.plumbing.telemetry import logger

FIRST = 1
FORMAT = 2
"""Of what a counter stores. One that stands in another (1: dated cells by day alone) is left."""
HOLD_S = 3.0
"""Longest standstill of live counting for a swap; a builder that takes longer tries again."""
LOOK_AGAIN_S = 0.02
log = logger("generations")
RETIRED_FOR = timedelta(minutes=10)
"""How long a former generation is kept: twice as long as a moment opened on it may last."""


class Overtaken(Exception):
    """Another rebuild of the set has begun since; this one's generation will never answer."""


@dataclass(frozen=True)
class Standing:
    """Numbers of a set's generations."""

    live: int = FIRST
    building: int | None = None
    builder: Document | None = None
    """Session in which `building` is swapped in."""
    held: bool = False
    """Whether live counting stands still for the swap."""
    retired: Mapping[str, datetime] = field(default_factory=dict)
    """Number (as text) of each that no longer answers and is not yet dropped → since when."""
    formats: Mapping[str, int] = field(default_factory=dict)
    """Number (as text) → the format it is stored in; 1 where nothing is said."""


class Generations:
    """Those of one set."""

    def __init__(self, database: Database, set_name: str) -> None:
        self._database = database
        self._set = set_name
        self._kept = database.get_collection("generations", read_concern=ReadConcern("majority"))

    def prefix(self, number: int) -> str:
        """What the names of a generation's collections begin with."""
        return self._set if number == FIRST else f"{self._set}.{number}"

    async def standing(self, session: Session | None = None) -> Standing:
        """As it is now, or within a session's snapshot."""
        kept = self._kept if session is None else self._database["generations"]
        document = await kept.find_one({"_id": self._set}, session=session) or {}
        return Standing(**{name: document[name] for name in Standing.__dataclass_fields__ if name in document})

    async def conform(self, number: int | None) -> None:
        """See that a generation (None: the live one) is stored in our format; run before it is counted into.

        One that has counted by another format can neither be read nor gone on with: an empty one takes its place, and
        counting begins anew from the first event. Until it is through, answers are provisional and say how far behind.
        """
        while True:
            document = await self._kept.find_one({"_id": self._set}) or {}
            live = document.get("live", FIRST)
            ours = live if number is None else number
            if document.get("formats", {}).get(str(ours)) == FORMAT:
                return
            cursors = self._database[collection_name(self.prefix(ours), "cursors")]
            if await cursors.find_one({"next": {"$gt": 0}}) is None:
                await self._change({"$set": {f"formats.{ours}": FORMAT}}, upsert=True)
                return
            following = document.get("last", FIRST) + 1
            left = {"live": following, "last": following, f"formats.{following}": FORMAT}
            now = (await self._database.command("hello"))["localTime"]
            with contextlib.suppress(DuplicateKeyError):  # somebody was faster: look again
                await self._kept.update_one(
                    {"_id": self._set, "live": document.get("live"), "last": document.get("last")},
                    {"$set": {**left, f"retired.{ours}": now}},
                    upsert=True,
                )
                log.warning("stored by another version: counting anew from the first event", set=self._set, left=ours)

    async def building(self, number: int, session: Session | None = None) -> Standing:
        """As it is, while this is the generation being built. Raises Overtaken."""
        standing = await self.standing(session)
        if standing.building != number:
            raise Overtaken(f"another rebuild of {self._set} has begun; this one ends here")
        return standing

    async def begin(self, builder: Session) -> int:
        """Number of a new generation to build; what an unfinished rebuild left behind is dropped."""
        former = await self.standing()
        document = await self._kept.find_one_and_update(
            {"_id": self._set},
            [
                {"$set": {"last": {"$add": [{"$ifNull": ["$last", FIRST]}, 1]}}},
                {"$set": {"building": "$last", "builder": {"$literal": dict(builder.session_id)}}},
            ],
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        if document is None:
            raise LookupError(f"the generations of {self._set} vanished while one was begun")
        if former.building is not None:
            await self._end_building(former)
        standing = await self.standing()
        kept = {standing.live, standing.building, *map(int, standing.retired)}
        await self._drop(lambda number: number not in kept)
        return int(document["last"])

    async def behind(self, number: int, ends: Mapping[TopicPartition, int], session: Session | None = None) -> int:
        """How many offsets the live generation has counted that this one has not.

        `ends` of all partitions' logs: what the live one counted beyond them (of a topic since made anew) is left out.
        """
        live = (await self.standing(session)).live
        ours = await cursors_from(self._database[collection_name(self.prefix(number), "cursors")], session)
        theirs = await cursors_from(self._database[collection_name(self.prefix(live), "cursors")], session)
        return sum(
            max(0, min(theirs[place].next, end) - (ours[place].next if place in ours else 0))
            for place, end in ends.items()
            if place in theirs
        )

    async def hold(self, number: int, places: Some[TopicPartition], session: Session) -> None:
        """Let live counting stand still for at most HOLD_S. Raises Overtaken, PyMongoError."""

        async def held(session: Session) -> None:
            standing = await self.building(number, session)
            await self._fence(standing.live, places, session)
            await self._change({"$set": {"held": True}}, session)
            point("generations.held")

        await session.with_transaction(held, SNAPSHOT, MAJORITY)

    async def swap(self, number: int, ends: Mapping[TopicPartition, int], session: Session) -> bool:
        """Let a generation answer from now on; False while it is `behind`, or live counting is not held any more.

        `ends` are those of the logs while it was held: where counting goes on, it may be ahead of them. Raises
        Overtaken, PyMongoError.
        """

        async def swapped(session: Session) -> bool:
            standing = await self.building(number, session)
            await self._fence(standing.live, ends, session)
            if not standing.held or await self.behind(number, ends, session):
                await session.abort_transaction()
                return False
            now = (await self._database.command("hello"))["localTime"]
            await self._change(
                {
                    "$set": {"live": number, f"retired.{standing.live}": now},
                    "$unset": {"building": "", "builder": "", "held": ""},
                },
                session,
            )
            point("generations.swapped")
            return True

        return await session.with_transaction(swapped, SNAPSHOT, MAJORITY)

    async def release(self) -> None:
        """Let live counting go on."""
        await self._change({"$unset": {"held": ""}})

    async def to_count(self) -> Standing:
        """As it is for who is about to count: after a swap under way, unless that never ends.

        A builder that died within a transaction would hold the cursors until the transaction's lifetime runs out.
        """
        give_up = time.monotonic() + HOLD_S
        standing = await self.standing()
        while standing.held and time.monotonic() < give_up:
            await asyncio.sleep(LOOK_AGAIN_S)
            standing = await self.standing()
        await self._kill([standing.builder])
        if standing.held:
            await self.release()
        return standing

    async def sweep(self, now: datetime) -> None:
        """Drop the generations that have been retired for long enough; run now and then."""
        for number, since in (await self.standing()).retired.items():
            if since + RETIRED_FOR < now:
                await self._drop({int(number)}.__contains__)
                await self._change({"$unset": {f"retired.{number}": "", f"formats.{number}": ""}})

    async def _end_building(self, unfinished: Standing) -> None:
        """End transactions that a builder left open when it died; dropping its collections would wait for them."""
        cursors = self._database[collection_name(self.prefix(unfinished.building or FIRST), "cursors")]
        counting = [{"id": session} for session in await cursors.distinct("session") if session is not None]
        await self._kill([unfinished.builder, *counting])

    async def _kill(self, sessions: Some[Document | None]) -> None:
        known = [session for session in sessions if session is not None]
        if known:
            await self._database.client.admin.command({"killSessions": known})

    async def _fence(self, live: int, places: Some[TopicPartition], session: Session) -> None:
        """Make whoever counts these partitions into the live generation miss at the next commit."""
        # Also where nobody has counted anything yet, or a first claim could slip through beside us.
        step = {"$inc": {"epoch": 1}, "$setOnInsert": {"next": 0, "recorded": None}}
        cursors = self._database[collection_name(self.prefix(live), "cursors")]
        await cursors.bulk_write(
            [UpdateOne({"_id": place_name(place)}, step, upsert=True) for place in sorted(places)], session=session
        )

    async def _change(self, update: Document, session: Session | None = None, *, upsert: bool = False) -> None:
        await self._database["generations"].update_one({"_id": self._set}, update, upsert=upsert, session=session)

    async def _drop(self, wanted: Callable[[int], bool]) -> None:
        for name in await self._database.list_collection_names():
            number = self._number_of(name)
            if number is not None and wanted(number):
                await self._database.drop_collection(name)

    def _number_of(self, collection: str) -> int | None:
        """Which generation a collection belongs to; None when it is not the set's."""
        if not collection.startswith(f"{self._set}."):
            return None
        first, _, rest = collection.removeprefix(f"{self._set}.").partition(".")
        return int(first) if first.isdigit() and rest else FIRST
