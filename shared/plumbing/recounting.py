"""Counting dead letters after all: on the path of the batch committer, but behind the cursors."""

import asyncio
from collections.abc import Sequence

from aiokafka import TopicPartition

from shared.plumbing.clock import Clock
from shared.plumbing.committer import UNCOUNTED
from shared.plumbing.counting import Counter, read_all, waiting, wanted
from shared.plumbing.crashing import point
from shared.plumbing.database import Database
from shared.plumbing.dead_letters import Retried, Settled
from shared.plumbing.journal import Stale
from shared.plumbing.plan import Plan
from shared.plumbing.quarantine import DeadLetter
from shared.plumbing.slips import posted
from shared.plumbing.store import CursorMoved, Interrupted, Kept, Move, Store
from shared.plumbing.store_documents import place_name


class Recount:
    """Counts single records in one projection set, one after another: its own store has one transaction at a time."""

    def __init__(self, counter: Counter, store: Store, clock: Clock) -> None:
        self._counter = counter
        self._store = store
        self._clock = clock
        self._counting = asyncio.Lock()

    async def count(self, record: Kept) -> Retried:
        """Count it unless its subject's guard is beyond it; what cannot be counted still, changes nothing.

        The cursor is compared and its epoch ended in the same transaction: whoever counts the partition meanwhile
        makes this Stale, or is made to claim again and to read what was written here.
        """
        async with self._counting:
            return await self._count(record)

    async def _count(self, record: Kept) -> Retried:
        place = TopicPartition(record.topic, record.partition)
        (handed,) = read_all(self._counter, [record])
        if handed.unreadable is not None:
            return Retried("rejected", handed.unreadable)
        cursor = (await self._store.cursors()).get(place, UNCOUNTED)
        if cursor.next <= record.offset:
            return Retried("rejected", "its partition is not counted as far as this yet: try again when the lag is 0")
        pages = await self._store.pages(wanted(self._counter, [handed]))
        to_open = waiting(pages)
        parked = await self._store.parked(to_open) if to_open else {}
        outcome = Plan(self._counter, pages, parked, self._clock.now()).work([handed])
        writes = outcome.writes
        writes.live, writes.dated = posted([outcome.added], place_name(place))
        for letter in writes.quarantine:
            if letter.letter.place == record.place:
                return Retried("rejected", letter.reason)
        if not (writes.new or writes.changed):
            return Retried("duplicate")
        try:
            await self._store.commit({place: Move(cursor, cursor.next, cursor.recorded)}, writes)
        except (CursorMoved, Interrupted) as race:
            raise Stale from race
        waits = any(parked.letter.place == record.place for parked in writes.park)
        return Retried("early", "it waits for a missing revision") if waits else Retried("accepted")


class Recounting:
    """Counts dead letters in every projection set of the service.

    One after another: broken off between two of them, or before the letter is settled, it is tried again, and the
    guards drop it where it is counted.
    """

    def __init__(self, database: Database, recounts: Sequence[Recount]) -> None:
        self._database = database
        self._recounts = recounts

    async def retry(self, letter: DeadLetter, settled: Settled) -> Retried:
        topic, partition, offset = letter.place.split("/")
        record = Kept(topic, int(partition), int(offset), letter.key, letter.value)
        outcomes = []
        for recount in self._recounts:
            retried = await recount.count(record)
            if retried.outcome == "rejected":
                return retried
            outcomes.append(retried)
        best = next((one for one in outcomes if one.outcome != "duplicate"), outcomes[0])
        point("recounting.settle")
        await self._database["quarantine"].bulk_write([settled(best.outcome)])
        return best
