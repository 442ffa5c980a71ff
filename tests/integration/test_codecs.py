"""Intake decodes whatever compression a foreign Kafka client chose (librdkafka's writers, our reader)."""

import json
from collections.abc import AsyncIterator

import pytest
from confluent_kafka import Producer
from faststream.kafka import KafkaBroker

from shared.plumbing.intake import IntakeDesk
from shared.plumbing.journal import Ledger
from shared.plumbing.listening import Hearing
from shared.plumbing.subscribing import listen
from tests.support import ledgers
from tests.support.eventually import eventually
from tests.support.ledgers import stored
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
BINARY = {"specversion": "1.0", "source": "shop", "type": "entry.booked", "time": "2026-03-01T10:00:00Z"}


@pytest.fixture
async def desk(stack: RealStack, namespace: Namespace) -> AsyncIterator[tuple[IntakeDesk, Ledger]]:
    """A desk listening to the intake topic as a service does."""
    async with ledgers.ledger(stack, namespace) as ledger:
        found = await ledgers.desk(ledger)
        broker = KafkaBroker(stack.kafka, allow_auto_create_topics=False, logger=None)
        hearing = Hearing("bank-intake", [f"{namespace.topic_prefix}customer-intake"], found)
        listen(broker, hearing, group_prefix=namespace.topic_prefix, batch_records=500, batch_wait_ms=20)
        await broker.start()
        try:
            yield found, ledger
        finally:
            hearing.stop()
            await broker.stop()


def write(kafka: str, topic: str, codec: str) -> None:
    """Fifty records in one compressed batch, half structured and half binary."""
    producer = Producer({"bootstrap.servers": kafka, "compression.type": codec, "linger.ms": 200, "acks": "all"})
    for number in range(50):
        identifier, data = f"{codec}-{number}", {"account": codec, "entry": f"{codec}-{number}", "amount": 1}
        if number % 2:
            value = json.dumps({**BINARY, "id": identifier, "data": data}).encode()
            producer.produce(topic, value, key=codec)
        else:
            headers = {f"ce_{name}": text for name, text in {**BINARY, "id": identifier}.items()}
            content = {"content-type": "application/json"}
            producer.produce(topic, json.dumps(data).encode(), key=codec, headers={**headers, **content})
    assert producer.flush(30) == 0


async def test_every_codec_is_read(stack: RealStack, namespace: Namespace, desk: tuple[IntakeDesk, Ledger]) -> None:
    reading, ledger = desk
    for codec in CODECS:
        write(stack.kafka, f"{namespace.topic_prefix}customer-intake", codec)

    async def settled() -> bool:
        totals = await reading.totals("shop")
        return bool(totals["processed"] == 50 * len(CODECS))

    await eventually(settled, timeout=60)
    assert (await reading.totals("shop"))["types"]["entry.booked"]["accepted"] == 50 * len(CODECS)
    for codec in CODECS:
        state = await stored(ledger, codec)
        assert state is not None
        assert state.total == 50
