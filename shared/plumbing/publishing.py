"""Putting the journal's records, letters and watermarks on Kafka, each acknowledged."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TypeAlias

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from shared.contracts.envelope import moment_text
from shared.plumbing.crashing import point
from shared.plumbing.database import Document
from shared.plumbing.telemetry import RELAYED
from shared.plumbing.undisturbed import undisturbed

Place: TypeAlias = tuple[str, int]
"""Topic and partition."""
Acknowledgement: TypeAlias = Awaitable[RecordMetadata]


@contextlib.asynccontextmanager
async def producing(kafka: str) -> AsyncIterator[AIOKafkaProducer]:
    """A producer whose records are acknowledged by all and stand once, in the order in which they were sent."""
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka,
        enable_idempotence=True,
        acks="all",
        linger_ms=2,
        max_batch_size=256 * 1024,
        compression_type="lz4",
        request_timeout_ms=30_000,
    )
    try:
        await undisturbed(producer.start())
        yield producer
    finally:
        await producer.stop()


class Publisher:
    """Sends what one service has to say.

    `events_topic` None: the service says nothing, only its quarantine is announced.
    """

    def __init__(
        self,
        producer: AIOKafkaProducer,
        *,
        events_topic: str | None,
        dead_letters_topic: str,
        watermarks_topic: str,
        service: str,
    ) -> None:
        self._producer = producer
        self._events_topic = events_topic
        self._dead_letters_topic = dead_letters_topic
        self._watermarks_topic = watermarks_topic
        self._service = service
        self._ends: dict[int, int | None] = {}

    async def send(self, documents: Sequence[Document]) -> None:
        """Send all, pipelined, and wait for every acknowledgement. Raises KafkaError when one is refused.

        What goes to one partition is packed here, in order: to hand the records over one by one took three times as
        long, most of it to choose each one's partition and to wait for each one's acknowledgement.
        """
        partitions: dict[str, int] = {}
        packs: dict[Place, BatchBuilder] = {}
        posted: list[tuple[Place, int, Acknowledgement]] = []
        for document in documents:
            told = self._told(document)
            if told is None:
                continue
            topic, key, value = told
            if topic not in partitions:
                partitions[topic] = len(await self._producer.partitions_for(topic))
            place = (topic, partition_of(key, partitions[topic]))
            if place not in packs:
                packs[place] = self._producer.create_batch()
            if packs[place].append(timestamp=None, key=key, value=value) is None:
                posted.append(await self._post(place, packs[place]))
                packs[place] = self._producer.create_batch()
                packs[place].append(timestamp=None, key=key, value=value)
        for place, pack in packs.items():
            posted.append(await self._post(place, pack))
        answers = await asyncio.gather(*(acknowledgement for _, _, acknowledgement in posted))
        for ((topic, partition), count, _), metadata in zip(posted, answers, strict=True):
            if topic == self._events_topic:
                # Where a pack that came twice stands Kafka may know no more (-1): whoever hears of it asks for the end.
                self._ends[partition] = metadata.offset + count if metadata.offset >= 0 else None
            RELAYED.labels(topic).inc(count)

    async def _post(self, place: Place, pack: BatchBuilder) -> tuple[Place, int, Acknowledgement]:
        topic, partition = place
        pack.close()  # it goes without waiting for company
        acknowledgement = await self._producer.send_batch(pack, topic, partition=partition)
        point("relay.sent-one")
        return place, pack.record_count(), acknowledgement

    def _told(self, document: Document) -> tuple[str, bytes, bytes] | None:
        """Topic, key and value of what is told of a document; None where nobody listens."""
        record = document["record"]
        if document["collection"] != "journal":
            return self._dead_letters_topic, record["_id"].encode(), self._dead_letter(record)
        if self._events_topic is None:
            return None
        return self._events_topic, record["key"].encode(), record["event"].encode()

    def _dead_letter(self, record: Document) -> bytes:
        topic, _, rest = record["_id"].partition("/")
        partition, _, offset = rest.partition("/")
        return orjson.dumps(
            {
                "specversion": "1.0",
                "id": record["_id"],
                "source": f"manyi/{self._service}",
                "type": "manyi.record.quarantined.v1",
                "time": moment_text(record["received"]),
                "datacontenttype": "application/json",
                "data": {
                    "service": self._service,
                    "topic": topic,
                    "partition": partition,
                    "offset": offset,
                    "reason": record["reason"],
                },
            }
        )

    async def mark(self, through: datetime) -> None:
        """Say that every partition is recorded through that moment."""
        if self._events_topic is None:
            return
        pending = []
        for partition in await self._producer.partitions_for(self._events_topic):
            name = f"{self._events_topic}/{partition}"
            value = {
                "service": self._service,
                "topic": self._events_topic,
                "partition": partition,
                "recordedthrough": moment_text(through),
                "offset": self._ends.get(partition),
            }
            pending.append(await self._producer.send(self._watermarks_topic, orjson.dumps(value), key=name.encode()))
        await asyncio.gather(*pending)


def partition_of(key: bytes, partitions: int) -> int:
    """Where every Kafka client puts a record with this key."""
    return _hash(key) % partitions


@lru_cache(maxsize=100_000)
def _hash(key: bytes) -> int:
    positive: int = murmur2(key) & 0x7FFFFFFF
    return positive
