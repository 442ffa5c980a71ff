"""Whether the events topics still are what they were: looked at before a service speaks or listens, and from then on.

Keys keep their order, and offsets their meaning, only while a topic keeps its partitions and its records. Kafka lets
an operator change both at any time and tells nobody. What was seen of each topic is kept in `topics`
(`{_id: topic, firsts: [{offset, mark} | None, …], ends: [offset, …]}`, one entry a partition); a topic that does not
fit it any more, nor a journal that lacks what its topic says, is refused with a sentence (docs/runbook.md).
"""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import UnknownTopicOrPartitionError

from shared.plumbing.database import Database
from shared.plumbing.listening import Record
from shared.plumbing.logs import LogBroken, check_cursor
from shared.plumbing.store import Cursor
from shared.plumbing.undisturbed import undisturbed

NEWEST = 100
"""Records of each partition that must be in the journal of the service that said them."""
FETCH_BYTES = 256 * 1024

UNCOUNTED = Cursor(0, 0)
Cursors = Callable[[], Awaitable[Mapping[TopicPartition, Cursor]]]


@dataclass(frozen=True)
class Kept:
    """What was seen of a topic before: of each partition the first record (offset and mark) and the furthest end."""

    firsts: Sequence[tuple[int, str] | None]
    ends: Sequence[int]


def refusal(topic: str, kept: Kept, bounds: Sequence[tuple[int, int]], marks: Mapping[int, str]) -> str | None:
    """Why a topic is not the one that was seen, in a sentence; None when it is.

    `bounds` are first offset and end of each partition, `marks` those of first records as far as they were read.
    """
    if len(bounds) != len(kept.ends):
        return (
            f"{topic} has {len(bounds)} partitions and had {len(kept.ends)}: keys have changed their partition, so the "
            "order of events is lost. A topic with other partitions is a new topic"
        )
    for partition, (start, end) in enumerate(bounds):
        first, name = kept.firsts[partition], f"{topic}/{partition}"
        if end < kept.ends[partition]:
            return f"{name} ends at offset {end} and once ended at {kept.ends[partition]}: the topic was made anew"
        if first is not None and (
            start < first[0] or (start == first[0] and marks.get(partition, first[1]) != first[1])
        ):
            return f"{name} begins with another record than before: the topic was made anew"
    return None


def mark_of(record: Record) -> str:
    """What tells a record from any other that may come to stand at its offset."""
    content = hashlib.sha256((record.key or b"") + b"\x00" + (record.value or b"")).hexdigest()[:32]
    return f"{record.timestamp}:{content}"


def said_by(source: str, value: bytes | None) -> str | None:
    """`subject:revision` of an event of that source; None for what others wrote there."""
    try:
        told: Any = orjson.loads(value or b"")
        return f"{told['subject']}:{told['revision']}" if told["source"] == source else None
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None


class Standing:
    """Guards the events topics that one service says or counts."""

    def __init__(
        self,
        database: Database,
        kafka: str,
        topics: Collection[str],
        *,
        spoken: tuple[str, str] | None = None,
        counted: Collection[Cursors] = (),
    ) -> None:
        """`spoken`: the topic whose events stand in our journal and their source; `counted`: where cursors stand."""
        self._database = database
        self._kafka = kafka
        self._topics = tuple(topics)
        self._spoken = spoken
        self._counted = tuple(counted)

    async def check(self) -> None:
        """Everything, before anything is sent or taken. Raises LogBroken, KafkaError, PyMongoError and OSError."""
        async with self._opened() as consumer:
            for topic in self._topics:
                bounds = await self._look_at(consumer, topic, all_firsts=True)
                for cursors in self._counted:
                    standing = await cursors()
                    for partition, (start, end) in enumerate(bounds):
                        place = TopicPartition(topic, partition)
                        check_cursor(place, standing.get(place, UNCOUNTED), start, end)
                if self._spoken is not None and topic == self._spoken[0]:
                    await self._compare_with_journal(consumer, topic, self._spoken[1], bounds)

    async def look(self) -> None:
        """What may change while we run: partitions, and a topic made anew. Raises as `check`."""
        async with self._opened() as consumer:
            for topic in self._topics:
                await self._look_at(consumer, topic, all_firsts=False)

    async def _look_at(self, consumer: AIOKafkaConsumer, topic: str, *, all_firsts: bool) -> list[tuple[int, int]]:
        """Compare a topic with what is kept of it, keep what is new, and return the bounds of its partitions."""
        # First what is kept: ends only grow, so what Kafka says later is never below what another process kept.
        document = await self._database["topics"].find_one({"_id": topic})
        places = sorted(place for place in consumer.assignment() if place.topic == topic)
        starts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        bounds = [(starts[place], ends[place]) for place in places]
        if document is None:
            document = {"firsts": [None] * len(places), "ends": [0] * len(places)}
        firsts = [(first["offset"], first["mark"]) if first else None for first in document["firsts"]]
        kept = Kept(firsts, document["ends"])
        unread = [
            place
            for place, (start, end), first in zip(places, bounds, [*firsts, *[None] * len(places)], strict=False)
            if start < end and (first is None or all_firsts)
        ]
        read = await _read(consumer, {place: (starts[place], starts[place] + 1) for place in unread})
        marks = {place.partition: mark_of(records[0]) for place, records in read.items()}
        if why := refusal(topic, kept, bounds, marks):
            raise LogBroken(f"{why}. See docs/runbook.md")
        seen = [
            {"offset": starts[place], "mark": marks[place.partition]}
            if first is None and place.partition in marks
            else document["firsts"][place.partition]
            for place, first in zip(places, firsts, strict=True)
        ]
        await self._database["topics"].update_one(
            {"_id": topic}, {"$set": {"firsts": seen, "ends": [end for _, end in bounds]}}, upsert=True
        )
        return bounds

    async def _compare_with_journal(
        self, consumer: AIOKafkaConsumer, topic: str, source: str, bounds: Sequence[tuple[int, int]]
    ) -> None:
        newest = {
            TopicPartition(topic, partition): (max(start, end - NEWEST), end)
            for partition, (start, end) in enumerate(bounds)
            if start < end
        }
        for place, records in (await _read(consumer, newest)).items():
            said = [event for record in records if (event := said_by(source, record.value)) is not None]
            journal = self._database["journal"].find({"_id": {"$in": said}}, {"_id": 1})
            missing = set(said) - {document["_id"] async for document in journal}
            if missing:
                raise LogBroken(
                    f"{topic}/{place.partition} says {len(missing)} events that are not in the journal, one of them "
                    f"{min(missing)}: the database is older than the topic, as after a restored backup; what would be "
                    "said now would contradict what everybody has heard. See docs/runbook.md"
                )

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[AIOKafkaConsumer]:
        """A consumer without a group that holds every partition of the topics."""
        places = await self._places()
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._kafka,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=FETCH_BYTES,
        )
        consumer.assign(places)
        try:
            await undisturbed(consumer.start())
            consumer.pause(*consumer.assignment())
            yield consumer
        finally:
            await consumer.stop()

    async def _places(self) -> list[TopicPartition]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._kafka)
        try:
            await undisturbed(admin.start())
            described = await admin.describe_topics(list(self._topics))
        finally:
            await admin.close()
        places = [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in described
            for partition in topic["partitions"]
        ]
        missing = set(self._topics) - {place.topic for place in places}
        if missing:
            raise UnknownTopicOrPartitionError(f"there is no topic {', '.join(sorted(missing))}")
        return places


async def _read(
    consumer: AIOKafkaConsumer, wanted: Mapping[TopicPartition, tuple[int, int]]
) -> dict[TopicPartition, list[Record]]:
    """The records of each range of offsets; partitions in which compaction or a marker left none are left out."""
    found: dict[TopicPartition, list[Record]] = {}
    open_ranges = dict(wanted)
    for place, (start, _) in wanted.items():
        consumer.seek(place, start)
    consumer.resume(*wanted)
    while open_ranges:
        for place, records in (await consumer.getmany(timeout_ms=200)).items():
            if place in open_ranges:
                found.setdefault(place, []).extend(one for one in records if one.offset < wanted[place][1])
        for place, (_, end) in list(open_ranges.items()):
            if await consumer.position(place) >= end:
                consumer.pause(place)
                del open_ranges[place]
    return found
