"""How every service listens to what its subscription hands over (ARCHITECTURE §6, subscribing.py).

Each rule stands for a reproduced failure. Acknowledgement is manual: explicit offsets are committed after the batch's
transaction. A handler never raises into FastStream, or the next poll would jump over the lost batch: trouble is
retried here with backoff while the partitions are ours. What was handed over and not finished is remembered: should a
batch be given up (shutdown, revoked partitions), the partition is rewound before anything later of it is accepted.
"""

import asyncio
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from shared.plumbing.ahead import read_ahead
from shared.plumbing.crashing import point
from shared.plumbing.telemetry import BATCH_SECONDS, LAG, logger

Record: TypeAlias = "ConsumerRecord[bytes | None, bytes | None]"
Batch: TypeAlias = Mapping[TopicPartition, Sequence[Record]]
Offsets: TypeAlias = Mapping[TopicPartition, int]
Begins: TypeAlias = Callable[[Collection[TopicPartition]], Awaitable[Offsets]]
TakeAll: TypeAlias = Callable[[AsyncIterable[Batch]], Awaitable[Offsets]]

FETCH_WAIT_MS = 50
"""A fetch is answered at once when one of its partitions has something; one that has just brought something is asked
again only behind it, so that long at most. Asking silent ones more often keeps an idle service and the broker busy.
"""
A_LOT = 4_000
"""Records at once: there are more behind them."""
BACKLOG_S = 3.0
"""So long at most one goes on with a backlog, since a stop and a rebalance wait for what is in hand."""
LONGEST_PAUSE_S = 1.0
"""Between two attempts at a batch: no more is added to an outage."""

log = logger("listening")


@dataclass(frozen=True)
class Portion:
    """How much is handed over at once."""

    records: int
    fetch_bytes: int
    """Of one partition: no more than its share, so that a batch holds a piece of every partition."""


USUAL = Portion(2_000, 64 * 1024)


class Listener(Protocol):
    """What stands behind a subscription."""

    async def take(self, batch: Batch) -> Offsets:
        """Process one batch and return, per partition, the next offset that Kafka may remember.

        Must be idempotent: the same records may come again. May raise for transient trouble (it is called again with
        the same batch). Returning a smaller offset than the batch's end makes the partition be read again from there.
        """
        ...

    def forget(self) -> None:
        """Partitions may have moved: drop what was assumed about them. Called before any record of a new assignment."""
        ...


class Hearing(ConsumerRebalanceListener):  # type: ignore[misc]
    """One subscription: its progress, and the recipe around its listener."""

    def __init__(
        self,
        group: str,
        topics: Sequence[str],
        listener: Listener,
        begins: Begins | None = None,
        portion: Portion = USUAL,
        take_all: TakeAll | None = None,
    ) -> None:
        """`begins` says where the listener's own memory goes on in partitions, if it has one (see look_back).

        `take_all` is its way of taking batch after batch of a backlog, where that is quicker than one after another.
        """
        self.group = group
        self.topics = tuple(topics)
        self.listener = listener
        self.portion = portion
        self._begins = begins
        self._take_all = take_all
        self.progressed_at = time.monotonic()
        self.failing: str | None = None
        self._unfinished: dict[TopicPartition, int] = {}
        self._next: dict[TopicPartition, int] = {}
        self._stopping = asyncio.Event()
        self._joined = False
        self._joins_twice = False
        self._joined_twice: AIOKafkaConsumer | None = None
        self._find_consumer: Callable[[], AIOKafkaConsumer | None] = lambda: None

    def attach(self, find_consumer: Callable[[], AIOKafkaConsumer | None], *, joins_twice: bool) -> None:
        """Tell where the live consumer is found.

        `joins_twice` must be set when the member has a lasting name. Kafka takes such a member back without sharing out
        anew: it gets what its former self had, however its topics have changed since, and is not told that it is the
        one who shares out and watches the topics (KIP-814, which aiokafka does not know). It is told when it asks
        again. Whoever does not share out changes nothing by asking.
        """
        self._find_consumer = find_consumer
        self._joins_twice = joins_twice

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Only forgets; correctness rests on what the listener stores with its data."""
        self._joined = False
        self.listener.forget()
        for partition in revoked:
            self._next.pop(partition, None)
            self._unfinished.pop(partition, None)

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        self._joined = True
        self.progressed_at = time.monotonic()
        # A batch may have ended after its partitions were revoked, and others go on there now.
        self._next = {partition: self._next[partition] for partition in assigned if partition in self._next}
        consumer = self._find_consumer()
        if self._joins_twice and consumer is not None and consumer is not self._joined_twice:
            self._joined_twice = consumer
            # There is no public way: a new subscription to the same topics ends the fetching of 0.14 with an error.
            consumer._coordinator.request_rejoin()  # noqa: SLF001

    def stop(self) -> None:
        """Give up waiting for trouble to pass; the batch in hand may still finish."""
        self._stopping.set()

    async def hear(self, records: Sequence[Record], consumer: AIOKafkaConsumer) -> None:
        """Hand one poll to the listener until it is taken, then commit the offsets it names."""
        batch = self._group(records, consumer)
        if not batch:
            return
        ends: dict[TopicPartition, int] = {}
        for partition, handed in batch.items():
            self._unfinished[partition] = handed[0].offset
            ends[partition] = handed[-1].offset + 1
        started = time.monotonic()
        if self._take_all is not None and sum(map(len, batch.values())) >= A_LOT:
            offsets = await self._taken_with_more(self._take_all, batch, ends, consumer)
        else:
            offsets = await self._until_taken(batch, consumer)
        if offsets is None:
            return
        self.failing = None
        BATCH_SECONDS.labels(self.group).observe(time.monotonic() - started)
        self.progressed_at = time.monotonic()
        for partition, end in ends.items():
            self._unfinished.pop(partition, None)
            reached = offsets.get(partition)
            if reached is None or partition not in consumer.assignment():
                continue
            self._next[partition] = reached
            if reached != end:
                self._seek(consumer, partition, reached)
        await self._commit(consumer, offsets)

    async def look_back(self) -> None:
        """Go back to where the listener's memory goes on, in partitions that brought nothing yet; run now and then.

        Where Kafka's offset was moved forward by an operator, only a later record would show what was jumped over.
        A listener that refuses the partition as it stands is not ready, and says why.
        """
        consumer = self._find_consumer()
        if self._begins is None or consumer is None:
            return
        silent = [place for place in consumer.assignment() if place not in self._next and place not in self._unfinished]
        if not silent:
            return
        try:
            begins = await self._begins(silent)
        except Exception as error:  # a later look may succeed, and other subscriptions are not concerned
            self.failing = f"{type(error).__name__}: {error}"
            log.warning("cannot look back, will try again", group=self.group, error=self.failing, exc_info=True)
            return
        if not self._unfinished:  # else what is wrong with the batch in hand, if anything, stands there
            self.failing = None
        for partition, offset in begins.items():
            if partition in consumer.assignment() and partition not in self._next:
                self._next[partition] = offset
                self._seek(consumer, partition, offset)

    def _group(self, records: Sequence[Record], consumer: AIOKafkaConsumer) -> dict[TopicPartition, list[Record]]:
        batch: dict[TopicPartition, list[Record]] = {}
        for record in records:
            batch.setdefault(TopicPartition(record.topic, record.partition), []).append(record)
        for partition in list(batch):
            unfinished = self._unfinished.get(partition)
            if unfinished is not None and batch[partition][0].offset > unfinished:
                self._seek(consumer, partition, unfinished)
                del batch[partition]
        return batch

    async def _taken_with_more(
        self, take_all: TakeAll, batch: Batch, ends: dict[TopicPartition, int], consumer: AIOKafkaConsumer
    ) -> Offsets | None:
        """Take a batch, and for a while what comes behind it, each read while the one before it is taken.

        `ends` gets to know how far was read. Where that fails, the batch is taken alone, and the rest read again.
        """
        until = time.monotonic() + BACKLOG_S

        async def more() -> Batch:
            if self._stopping.is_set() or time.monotonic() > until:
                return {}
            polled: Batch = await consumer.getmany(timeout_ms=FETCH_WAIT_MS, max_records=self.portion.records)
            for partition, records in polled.items():
                self._unfinished.setdefault(partition, records[0].offset)
                ends[partition] = records[-1].offset + 1
            return polled

        offsets: Offsets | None
        try:
            async with aclosing(read_ahead(more, batch)) as batches:
                offsets = await take_all(batches)
        except Exception as error:  # raising here would lose the batch
            log.warning("backlog failed, will go on more slowly", group=self.group, error=f"{error}", exc_info=True)
            offsets = await self._until_taken(batch, consumer)
        if offsets is None:
            return None
        unfinished = {partition: self._unfinished[partition] for partition in ends if partition in self._unfinished}
        return {**unfinished, **offsets}

    async def _until_taken(self, batch: Batch, consumer: AIOKafkaConsumer) -> Offsets | None:
        pause = 0.05
        while True:
            try:
                return await self.listener.take(batch)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # raising here would lose the batch
                self.failing = f"{type(error).__name__}: {error}"
                log.warning("batch failed, will retry", group=self.group, error=self.failing, exc_info=True)
                if self._stopping.is_set() or not set(batch) & consumer.assignment():
                    return None
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)

    def _seek(self, consumer: AIOKafkaConsumer, partition: TopicPartition, offset: int) -> None:
        try:
            consumer.seek(partition, offset)
        except IllegalStateError:
            log.info("partition moved away", group=self.group, partition=str(partition))

    async def _commit(self, consumer: AIOKafkaConsumer, offsets: Offsets) -> None:
        ours = {partition: offset for partition, offset in offsets.items() if partition in consumer.assignment()}
        if not ours:
            return
        try:
            point("listening.offsets")
            await consumer.commit(ours)
            point("listening.offsets-stored")
        except KafkaError as error:
            # A hint only: what it would have said stands in the database, or is deduplicated by it.
            log.info("offset hint not stored", group=self.group, error=str(error))

    async def lag(self) -> int | None:
        """Records in the assigned partitions not yet taken; None until the group has been joined.

        A spare member (more processes than partitions) has nothing to take and is not stuck: 0. Raises KafkaError when
        the broker cannot be asked.
        """
        consumer = self._find_consumer()
        if consumer is None or not self._joined:
            return None
        if not consumer.assignment():
            self.progressed_at = time.monotonic()
            return 0
        try:
            ends = await consumer.end_offsets(list(consumer.assignment()))
        except KafkaError:
            # Nobody can make progress without a broker; that is not this subscription being stuck.
            self.progressed_at = time.monotonic()
            raise
        total = 0
        for partition, end in ends.items():
            at = self._next.get(partition)
            if at is None:
                at = await consumer.committed(partition) or 0
            total += max(0, end - at)
        LAG.labels(self.group).set(total)
        if total == 0:
            self.progressed_at = time.monotonic()
        return total

    def partitions(self, topics: Collection[str]) -> list[TopicPartition]:
        """All partitions of topics, as far as the consumer knows them; empty while there is no consumer."""
        consumer = self._find_consumer()
        if consumer is None:
            return []
        return [
            TopicPartition(topic, partition)
            for topic in topics
            for partition in sorted(consumer.partitions_for_topic(topic) or ())
        ]

    async def bounds(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """First offset and end of each partition's log; empty while there is no consumer.

        Raises KafkaError, also when the hearing is stopped meanwhile: a consumer that is closed goes on asking for its
        request timeout of 40 s, and who waits for that would hold up the stop of the process.
        """
        consumer = self._find_consumer()
        if consumer is None:
            return {}
        if getattr(consumer, "_fetcher", consumer) is None:
            # FastStream shows a consumer before it has started, when aiokafka does not refuse but breaks.
            raise KafkaError("the consumer has not started yet; ask again")
        asking = asyncio.ensure_future(_bounds(consumer, list(partitions)))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait([asking, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise KafkaError("stopped before Kafka answered")
            return asking.result()
        finally:
            asking.cancel()
            stopping.cancel()

    def left(self) -> bool:
        """Whether the client gave up its place in the group for good: it lives on, but hears nothing any more.

        aiokafka does so at whatever it does not expect, and has no public way to ask.
        """
        coordinator = getattr(self._find_consumer(), "_coordinator", None)
        task = getattr(coordinator, "_coordination_task", None)
        return task is not None and task.done() and not task.cancelled() and task.exception() is not None

    def silent_for(self) -> float:
        """Seconds since the last progress, or since the last time nothing was waiting."""
        return time.monotonic() - self.progressed_at


async def _bounds(
    consumer: AIOKafkaConsumer, partitions: list[TopicPartition]
) -> dict[TopicPartition, tuple[int, int]]:
    starts = await consumer.beginning_offsets(partitions)
    ends = await consumer.end_offsets(partitions)
    return {partition: (starts[partition], ends[partition]) for partition in partitions}
