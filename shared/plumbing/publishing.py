"""Putting the journal's records, letters and watermarks on Kafka, each acknowledged."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import orjson
from aiokafka import AIOKafkaProducer

from shared.contracts.envelope import moment_text
from shared.plumbing.crashing import point
from shared.plumbing.database import Document
from shared.plumbing.telemetry import RELAYED
from shared.plumbing.undisturbed import undisturbed


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
        self._ends: dict[int, int] = {}

    async def send(self, documents: Sequence[Document]) -> None:
        """Send all, pipelined, and wait for every acknowledgement. Raises KafkaError when one is refused."""
        pending = []
        for document in documents:
            record = document["record"]
            if document["collection"] == "journal":
                if self._events_topic is None:
                    continue
                topic, key, value = self._events_topic, record["key"], record["event"].encode()
            else:
                topic, key, value = self._dead_letters_topic, record["_id"], self._dead_letter(record)
            pending.append(await self._producer.send(topic, value, key=key.encode()))
            point("relay.sent-one")
        for metadata in await asyncio.gather(*pending):
            if metadata.topic == self._events_topic:
                self._ends[metadata.partition] = metadata.offset + 1
            RELAYED.labels(metadata.topic).inc()

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
