"""A batch holds all that came while the one before it was taken, on the real Kafka: nothing waits for two of them."""

import asyncio

import pytest
from faststream.kafka import KafkaBroker

from shared.plumbing import gleaning
from shared.plumbing.listening import Batch, Hearing, Offsets
from shared.plumbing.subscribing import listen
from tests.support.eventually import eventually
from tests.support.stack import Namespace, RealStack
from tests.support.topics import write

pytestmark = pytest.mark.stack


class Slow:
    """A listener that is at its first batch until it is let go on."""

    def __init__(self) -> None:
        self.taken: list[list[bytes | None]] = []
        self.let = asyncio.Event()

    async def take(self, batch: Batch) -> Offsets:
        self.taken.append([record.value for records in batch.values() for record in records])
        await self.let.wait()
        return {place: records[-1].offset + 1 for place, records in batch.items()}

    def forget(self) -> None:
        """Nothing is assumed about partitions."""


async def test_all_that_came_during_a_batch_is_in_the_next_one(
    stack: RealStack, namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gleaning, "AT_ONCE_S", 60.0)
    monkeypatch.setattr(gleaning, "LOOK_MS", 30_000)  # however busy the machine is
    topic, slow = f"{namespace.topic_prefix}dead-letters", Slow()
    broker = KafkaBroker(stack.kafka, allow_auto_create_topics=False, logger=None)
    listen(broker, Hearing("slow", [topic], slow), group_prefix=topic, batch_records=100, batch_wait_ms=20)
    await broker.start()
    try:
        await write(stack.kafka, topic, [(None, b"first")])
        await eventually(lambda: slow.taken, timeout=40)
        later = [f"{number}".encode() for number in range(10)]
        await write(stack.kafka, topic, [(None, word) for word in later])
        slow.let.set()
        await eventually(lambda: len(slow.taken) == 2, timeout=40)
        assert slow.taken == [[b"first"], later]
    finally:
        await broker.stop()
