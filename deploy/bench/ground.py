"""The ground all contestants run on: one Kafka and one mongod of our own, with more room than `manyi up` gives them."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from confluent_kafka import Producer
from pymongo import MongoClient

from deploy.bench.events import responses
from deploy.local import kafka, mongo
from deploy.local.jars import KAFKA_VERSION
from deploy.local.places import refuse_full_disk
from deploy.local.ports import LOOPBACK, free_ports
from deploy.local.stack import READY_WITHIN
from deploy.local.state import ensure_keys
from deploy.local.supervisor import Supervisor
from deploy.local.topics import create_topics, plan

NEEDED_BYTES = 5 * 2**30
CACHE_GB, OPLOG_MB = 2.0, 2048
PARTITIONS = 12
PREFIX = "bench-"
Record: TypeAlias = tuple[str, bytes, bytes]
"""Topic without the installation's prefix, key and value."""


@dataclass(frozen=True)
class Ground:
    """A running Kafka and MongoDB, and the supervisor that knows their processes."""

    kafka: str
    mongo: str
    data_dir: Path
    supervisor: Supervisor | None = None
    """None where somebody else keeps Kafka and mongod."""
    prefix: str = PREFIX
    """What topics and databases begin with."""

    @cached_property
    def client(self) -> MongoClient[dict[str, Any]]:
        """For looking on; contestants have clients of their own."""
        return MongoClient(self.mongo)

    @cached_property
    def environment(self) -> dict[str, str]:
        """What a service of ours needs to know."""
        return {
            "MANYI_KAFKA": self.kafka,
            "MANYI_MONGO": self.mongo,
            "MANYI_KEYS_FILE": str(ensure_keys(self.data_dir)),
            "MANYI_TOPIC_PREFIX": self.prefix,
            "MANYI_HOST": LOOPBACK,
            "MANYI_LOG_LEVEL": "WARNING",
        }

    @property
    def versions(self) -> dict[str, str]:
        return {"mongo": str(self.client.server_info()["version"]), "kafka": KAFKA_VERSION}

    def pids(self) -> dict[str, int]:
        """The two processes of the ground, where they are ours."""
        if self.supervisor is None:
            return {}
        found = {name: self.supervisor.pid(name) for name in ("kafka", "mongo")}
        return {name: pid for name, pid in found.items() if pid is not None}


@asynccontextmanager
async def ground(data_dir: Path, cache_gb: float = CACHE_GB, needed_bytes: int = NEEDED_BYTES) -> AsyncIterator[Ground]:
    """Both brokers with all topics of an installation under `bench-`; stopped at the end."""
    refuse_full_disk(data_dir, needed_bytes)
    kafka_port, controller_port, mongo_port = free_ports(3)
    address = f"{LOOPBACK}:{kafka_port}"
    broker = await asyncio.to_thread(kafka.prepare, data_dir / "kafka", kafka_port, controller_port, kafka.ROOMY_JVM)
    database = await asyncio.to_thread(mongo.prepare, data_dir / "mongo", mongo_port, cache_gb, OPLOG_MB)
    supervisor = Supervisor(
        [
            kafka.program(broker, address, data_dir / "kafka.log"),
            mongo.program(database, mongo_port, data_dir / "mongo.log"),
        ]
    )
    await supervisor.start(READY_WITHIN)
    try:
        await create_topics(address, plan(PREFIX, PARTITIONS))
        yield Ground(address, mongo.address_of(mongo_port), data_dir, supervisor)
    finally:
        await supervisor.stop()


def fill(place: Ground, topic: str, count: int, seed: int) -> None:
    """Write `count` survey responses (blocking), spread by key as any client does."""
    send(place, ((topic, key, value) for key, value in responses(count, seed)))


def send(place: Ground, records: Iterable[Record]) -> int:
    """Write records as fast as it goes (blocking) and return how many; all are acknowledged then."""
    writer, count = producer(place), 0
    for topic, key, value in records:
        while True:
            try:
                writer.produce(place.prefix + topic, value, key)
                break
            except BufferError:
                writer.poll(0.1)
        count += 1
    writer.flush()
    return count


def producer(place: Ground, linger_ms: int = 20) -> Producer:
    """A client that waits for everybody's acknowledgement, and so long for company."""
    return Producer(
        {
            "bootstrap.servers": place.kafka,
            "compression.type": "lz4",
            "linger.ms": linger_ms,
            "acks": "all",
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 200_000,
        }
    )
