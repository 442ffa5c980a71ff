"""What foreign writers leave on an intake topic is a CloudEvent by the Kafka binding, in every codec and both modes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer

from shared.contracts.intake import OrderPlaced
from shared.plumbing.cloudevents import read_kafka
from tests.foreign import java_writer, node_writer, python_writer
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack

EVENT: dict[str, Any] = {
    "id": "e-1",
    "source": "web-shop",
    "type": "order.placed",
    "time": "2026-11-23T09:30:00.000Z",
    "timezone": "Asia/Shanghai",
    "partitionkey": "客户-7",
    "datacontenttype": "application/json",
    "data": {"customer": "客户-7", "order": "A-1", "amount": 12345, "currency": "CNY"},
}
EVENTS = [{**EVENT, "id": f"e-{number}"} for number in range(200)]


def read(kafka: str, topic: str, count: int) -> Iterator[Any]:
    """The first `count` records of a topic."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": f"read-{topic}", "auto.offset.reset": "earliest"})
    try:
        consumer.subscribe([topic])
        records: list[Any] = []
        while len(records) < count:
            batch = consumer.consume(count - len(records), timeout=30)
            assert batch, f"{len(records)} of {count} records after 30 s without more"
            records += batch
        yield from records
    finally:
        consumer.close()


def understood(record: Any) -> dict[str, Any]:
    """The event of a record, read by the Kafka protocol binding: binary where `ce_` headers are, else structured."""
    assert record.error() is None
    headers = {name: value.decode() for name, value in record.headers()}
    if "ce_id" not in headers:
        assert headers["content-type"].startswith("application/cloudevents+json")
        event: dict[str, Any] = json.loads(record.value())
    else:
        event = {name.removeprefix("ce_"): text for name, text in headers.items() if name.startswith("ce_")}
        event |= {"datacontenttype": headers["content-type"], "data": json.loads(record.value())}
    assert record.key().decode() == event["partitionkey"]
    return event


def assert_accepted(record: Any) -> None:
    """Our services read it the same way, and their contract accepts it."""
    event = read_kafka(record.headers(), record.value())
    assert (event.source, event.type, event.timezone) == ("web-shop", "order.placed", "Asia/Shanghai")
    assert OrderPlaced.model_validate(event.data).amount == 12345


def assert_arrived(stack: RealStack, topic: str) -> None:
    records = list(read(stack.kafka, topic, len(EVENTS)))
    found = sorted(map(understood, records), key=lambda event: int(event["id"][2:]))
    assert found == [{"specversion": "1.0", **event} for event in EVENTS]
    for record in records:
        assert_accepted(record)


@pytest.mark.parametrize("mode", python_writer.MODES)
@pytest.mark.parametrize("codec", python_writer.CODECS)
async def test_python(stack: RealStack, namespace: Namespace, mode: str, codec: str) -> None:
    topic = f"{namespace.topic_prefix}customer-intake"
    assert python_writer.write(stack.kafka, topic, EVENTS, mode, codec) == []
    assert_arrived(stack, topic)


@pytest.mark.parametrize("mode", python_writer.MODES)
@pytest.mark.parametrize("codec", python_writer.CODECS)
async def test_node(stack: RealStack, namespace: Namespace, mode: str, codec: str) -> None:
    node_writer.require_node()
    if codec not in node_writer.codecs():
        pytest.skip(f"this Node.js has no {codec}; the Python writer covers it")
    topic = f"{namespace.topic_prefix}customer-intake"
    node_writer.write(stack.kafka, topic, EVENTS, mode, codec)
    assert_arrived(stack, topic)


@pytest.mark.parametrize(
    ("mode", "codec"), [("structured", "zstd"), ("binary", "lz4"), ("structured", "snappy"), ("binary", "gzip")]
)
async def test_java(stack: RealStack, namespace: Namespace, mode: str, codec: str) -> None:
    java_writer.require_compiler()
    topic = f"{namespace.topic_prefix}customer-intake"
    java_writer.write(stack.kafka, topic, EVENTS, mode, codec)
    assert_arrived(stack, topic)
