"""Reading topics as an outsider would, without a group that could be assigned anew (all blocking)."""

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Consumer, TopicPartition

from deploy.chaos.scene import SPEAKERS

EVENTS = tuple(f"manyi-{speaker}-events" for speaker in SPEAKERS)
PATIENCE_S = 30.0

Told = tuple[bytes | None, bytes | None]
"""Key and value of a record."""


def bounds(kafka: str, topic: str) -> dict[tuple[str, int], tuple[int, int]]:
    """(topic, partition) → its first offset and its end. Raises KafkaException."""
    with _consumer(kafka) as consumer:
        return _bounds(consumer, topic)


def everything(kafka: str, topic: str) -> list[Told]:
    """Every record that is on the topic now. Raises KafkaException."""
    with _consumer(kafka) as consumer:
        missing = {place: end for place, (first, end) in _bounds(consumer, topic).items() if first < end}
        consumer.assign([TopicPartition(*place, 0) for place in missing])
        records: list[Told] = []
        while missing:
            for message in consumer.consume(1_000, 0.5):
                place, offset = (topic, message.partition() or 0), message.offset() or 0
                if message.error() is None and place in missing:
                    records.append((message.key(), message.value()))
                    if offset + 1 >= missing[place]:
                        del missing[place]
        return records


def _bounds(consumer: Consumer, topic: str) -> dict[tuple[str, int], tuple[int, int]]:
    partitions = consumer.list_topics(topic, timeout=PATIENCE_S).topics[topic].partitions
    return {
        (topic, partition): consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=PATIENCE_S)
        for partition in partitions
    }


@contextmanager
def _consumer(kafka: str) -> Iterator[Consumer]:
    settings = {"bootstrap.servers": kafka, "group.id": "chaos", "enable.auto.commit": False, "log_level": 0}
    consumer = Consumer({**settings, "auto.offset.reset": "earliest"})
    try:
        yield consumer
    finally:
        consumer.close()
