"""Write to a topic as a foreign system would, and read all that is on one."""

import json
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

from tests.support.eventually import eventually


async def write(
    kafka: str, topic: str, records: Sequence[tuple[bytes | None, Any]], partition: int | None = None, **options: Any
) -> None:
    """Send (key, value) pairs one after another; a mapping is written as JSON, bytes and None as they are.

    `partition` is where all of them go; else their keys say it.
    """
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", **options)
    await producer.start()
    try:
        for key, value in records:
            raw = json.dumps(value).encode() if isinstance(value, dict) else value
            await producer.send_and_wait(topic, raw, key=key, partition=partition)
    finally:
        await producer.stop()


async def read_all(kafka: str, topic: str) -> list[ConsumerRecord[bytes, bytes]]:
    """Every record on the topic now, partition by partition in offset order."""
    # Without a group a subscription may at any time be assigned anew: it then begins again, at the beginning.
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        # Just after a topic was made the first answer about it may be that it has no partitions.
        partitions = list(await eventually(consumer.assignment, because=f"{topic} has no partitions"))
        ends = await consumer.end_offsets(partitions)
        records: dict[tuple[int, int], ConsumerRecord[bytes, bytes]] = {}
        while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                records.update({(record.partition, record.offset): record for record in batch})
        return [records[place] for place in sorted(records)]
    finally:
        await consumer.stop()
