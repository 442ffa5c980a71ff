"""Counting a projection set anew from the beginning of its topics, beside whoever counts it now, and the swap.

The same committer as live, over a generation of its own, with a consumer outside any group. Whatever ends this process
leaves an unfinished generation that nobody reads; the next rebuild drops it.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError

from shared.plumbing.ahead import read_ahead
from shared.plumbing.committer import BatchCommitter
from shared.plumbing.database import Session
from shared.plumbing.generations import HOLD_S, Generations
from shared.plumbing.listening import Batch, Record
from shared.plumbing.store import Interrupted
from shared.plumbing.telemetry import logger
from shared.plumbing.undisturbed import undisturbed

WAIT_MS = 20
SILENT_MS = 500
"""So long nothing comes although there should be more: what lies before the end may be holes in the offsets."""
PAUSE_S = 0.2
NEAR = 1_000
"""Records that are caught up with in well under HOLD_S."""
GIVE_UP_AFTER_S = 60.0
"""Of nothing but trouble: a rebuild is begun again more easily than it is watched."""
TRANSIENT = (PyMongoError, KafkaError, OSError, Interrupted)
log = logger("rebuilding")


@dataclass(frozen=True)
class Progress:
    """Records counted, of those on the topics by now."""

    done: int
    total: int


class Rebuild:
    """One generation under construction: `step` again and again, then `take_over`; or just `run`."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        committer: BatchCommitter,
        generations: Generations,
        number: int,
        session: Session,
        batch_records: int,
    ) -> None:
        """`consumer` has its partitions assigned; `session` is the one the generation was begun with."""
        self._consumer = consumer
        self._committer = committer
        self._generations = generations
        self._number = number
        self._session = session
        self._batch_records = batch_records
        self._next = dict.fromkeys(consumer.assignment(), 0)
        committer.ask_bounds_of(self._bounds)

    async def run(self, tell: Callable[[Progress], None]) -> None:
        """Count and swap. Raises Overtaken, LogBroken, TooManyDeadLetters, and transient trouble that does not pass."""
        troubled_since: float | None = None
        while True:
            try:
                if (await self._generations.standing()).live == self._number:
                    return  # the swap was committed, and its answer got lost
                await self._generations.building(self._number)
                if troubled_since is not None:
                    await self._go_back()
                await self._work_off(lambda: tell(self.progress))
                tell(self.progress)
                if await self.take_over():
                    return
                troubled_since = None
            except TRANSIENT as trouble:
                troubled_since = troubled_since or time.monotonic()
                if time.monotonic() - troubled_since > GIVE_UP_AFTER_S:
                    raise
                log.warning("rebuild held up, will try again", trouble=f"{type(trouble).__name__}: {trouble}")
                await asyncio.sleep(PAUSE_S)

    async def step(self) -> None:
        """Count one poll."""
        polled = await self._consumer.getmany(timeout_ms=WAIT_MS, max_records=self._batch_records)
        for place, offset in (await self._committer.take(polled)).items() if polled else ():
            self._next[place] = offset
            if offset != polled[place][-1].offset + 1:
                self._consumer.seek(place, offset)

    async def _work_off(self, counting: Callable[[], None]) -> None:
        """Count all that stands on the topics by now, and read the next while the former is counted."""
        ends = await self._consumer.end_offsets(list(self._next))
        async with aclosing(self._backlog(ends, counting)) as backlog:
            reached = await self._committer.take_all(backlog)
        for place in self._next:  # what was read beyond is read again
            self._next[place] = reached.get(place, self._next[place])
            self._consumer.seek(place, self._next[place])

    async def _backlog(self, ends: Mapping[TopicPartition, int], counting: Callable[[], None]) -> AsyncGenerator[Batch]:
        """Batch after batch of what lies before `ends`; each is read while the one before it is counted."""
        nothing: Batch = {}
        async with aclosing(read_ahead(partial(self._read, ends), nothing)) as batches:
            async for batch in batches:
                yield batch
                self._next.update({place: records[-1].offset + 1 for place, records in batch.items()})
                counting()

    async def _read(self, ends: Mapping[TopicPartition, int]) -> Batch:
        """Records of a whole batch, or fewer where the topics end or bring nothing for a while; none at the ends."""
        batch: dict[TopicPartition, list[Record]] = {}
        left, at = self._batch_records, {place: await self._consumer.position(place) for place in ends}
        while left and any(at[place] < end for place, end in ends.items()):
            polled = await self._consumer.getmany(timeout_ms=SILENT_MS, max_records=left)
            if not polled:
                break
            for place, records in polled.items():
                batch.setdefault(place, []).extend(records)
                at[place] = records[-1].offset + 1
                left -= len(records)
        return batch

    @property
    def progress(self) -> Progress:
        """How far it is; ends are those of the last fetch."""
        ends = {place: self._consumer.highwater(place) or 0 for place in self._next}
        return Progress(sum(self._next.values()), sum(max(ends[place], at) for place, at in self._next.items()))

    async def take_over(self) -> bool:
        """Catch up while live counting stands still, and swap; False where that would take, or took, too long."""
        ends = await self._consumer.end_offsets(list(self._next))
        if await self._generations.behind(self._number, ends) > NEAR:
            return False
        await self._generations.hold(self._number, ends, self._session)
        ends = await self._consumer.end_offsets(list(self._next))  # live counting went on until just now
        give_up = time.monotonic() + HOLD_S
        while not await self._generations.swap(self._number, ends, self._session):
            if time.monotonic() > give_up:
                await self._generations.release()
                return False
            await self.step()
        return True

    async def _go_back(self) -> None:
        """To where the generation stands, whatever was in hand."""
        for place, offset in (await self._committer.begins(self._next.keys())).items():
            self._next[place] = offset
            self._consumer.seek(place, offset)

    async def _bounds(self, places: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        starts = await self._consumer.beginning_offsets(list(places))
        ends = await self._consumer.end_offsets(list(places))
        return {place: (starts[place], ends[place]) for place in places}


@asynccontextmanager
async def reading_all(kafka: str, topics: Sequence[str], fetch_bytes: int) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of all partitions, at the beginning. Raises LookupError for a missing topic, KafkaError."""
    places = await _places(kafka, topics)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=fetch_bytes,
    )
    try:
        await undisturbed(consumer.start())
        consumer.assign(places)
        await consumer.seek_to_beginning()
        yield consumer
    finally:
        await consumer.stop()


async def _places(kafka: str, topics: Sequence[str]) -> list[TopicPartition]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    try:
        await undisturbed(admin.start())
        told = await admin.describe_topics(list(topics))
    finally:
        await admin.close()
    missing = [topic["topic"] for topic in told if topic["error_code"] or not topic["partitions"]]
    if missing:
        raise LookupError(f"{', '.join(missing)} cannot be read: check MANYI_KAFKA and MANYI_TOPIC_PREFIX")
    return [TopicPartition(topic["topic"], place["partition"]) for topic in told for place in topic["partitions"]]
