"""What watermarks may promise of a partition: that what was sent there stands before an offset that Kafka named."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import orjson
from aiokafka import AIOKafkaProducer

from shared.plumbing.publishing import Publisher
from tests.support.telling import NOON


class Pack:
    """A pack that is never full."""

    def __init__(self) -> None:
        self.count = 0

    def append(self, **_: Any) -> object:
        self.count += 1
        return self

    def close(self) -> None: ...

    def record_count(self) -> int:
        return self.count


class Producer:
    """Every pack is acknowledged under the next of these offsets; -1 is what Kafka says of one that it had already."""

    def __init__(self, *offsets: int) -> None:
        self._offsets = list(offsets)
        self.marks: list[dict[str, Any]] = []

    def create_batch(self) -> Pack:
        return Pack()

    async def send_batch(self, pack: Pack, topic: str, *, partition: int) -> "asyncio.Future[Any]":
        return self._answered(SimpleNamespace(offset=self._offsets.pop(0)))

    async def send(self, topic: str, value: bytes, key: bytes) -> "asyncio.Future[Any]":
        self.marks.append(orjson.loads(value))
        return self._answered(None)

    def _answered(self, answer: Any) -> "asyncio.Future[Any]":
        done = asyncio.get_running_loop().create_future()
        done.set_result(answer)
        return done

    async def partitions_for(self, _: str) -> set[int]:
        return {0}


async def ends(*offsets: int) -> list[int | None]:
    """What is promised after each of these acknowledgements of two records."""
    producer = Producer(*offsets)
    publisher = Publisher(
        cast("AIOKafkaProducer", producer),
        events_topic="events",
        dead_letters_topic="letters",
        watermarks_topic="marks",
        service="test",
    )
    for _ in offsets:
        await publisher.send([{"collection": "journal", "record": {"key": "k", "event": "e"}}] * 2)
        await publisher.mark(NOON)
    return [mark["offset"] for mark in producer.marks]


async def test_a_watermark_names_the_end_of_what_was_sent() -> None:
    assert await ends(0, 7) == [2, 9]


async def test_an_acknowledgement_without_an_offset_promises_none() -> None:
    assert await ends(5, -1, 9) == [7, None, 11]
