"""The embedded stack is a real Kafka and a real MongoDB, and it survives what may happen to it."""

import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pymongo import MongoClient

from deploy.local.stack import embedded_stack
from deploy.local.supervisor import Supervisor
from deploy.local.topics import create_topics, plan
from deploy.local.trouble import CannotContinue
from tests.support.eventually import eventually
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack


async def say(kafka: str, topic: str, *values: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value, key=b"key")
    finally:
        await producer.stop()


async def hear(kafka: str, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka, group_id="hearer", auto_offset_reset="earliest")
    await consumer.start()
    try:
        return [(await consumer.getone()).value for _ in range(count)]
    finally:
        await consumer.stop()


def transfer(mongo: str, database: str) -> dict[str, Any] | None:
    """One transaction over two collections, and what is there afterwards."""
    with MongoClient[dict[str, Any]](mongo) as client:
        with client.start_session() as session, session.start_transaction():
            client[database].left.insert_one({"_id": 1}, session=session)
            client[database].right.insert_one({"_id": 1}, session=session)
        return client[database].right.find_one({"_id": 1})


def is_back(supervisor: Supervisor, name: str, before: int) -> bool:
    return supervisor.pid(name) not in (None, before) and supervisor.is_ready(name)


async def test_what_is_produced_is_consumed(stack: RealStack, namespace: Namespace) -> None:
    topic = f"{namespace.topic_prefix}customer-intake"
    await say(stack.kafka, topic, b"one", b"two")
    assert await hear(stack.kafka, topic, 2) == [b"one", b"two"]


async def test_mongod_has_transactions(stack: RealStack, namespace: Namespace) -> None:
    assert transfer(stack.mongo, f"{namespace.database_prefix}customer") == {"_id": 1}


async def test_topics_are_created_once_and_as_planned(stack: RealStack, namespace: Namespace) -> None:
    assert await create_topics(stack.kafka, list(namespace.topics)) == []


async def test_another_partition_count_is_refused(stack: RealStack, namespace: Namespace) -> None:
    with pytest.raises(CannotContinue, match="and 3 more has 4 partitions and 7 are wanted"):
        await create_topics(stack.kafka, plan(namespace.topic_prefix, 7))


async def test_a_mistyped_topic_is_not_created(stack: RealStack, namespace: Namespace) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka, request_timeout_ms=1000)
    await producer.start()
    try:
        with pytest.raises(Exception, match=r"(?i)topic|metadata|partition"):
            await producer.send_and_wait(f"{namespace.topic_prefix}costumer-intake", b"lost")
    finally:
        await producer.stop()


async def test_killed_brokers_come_back_with_their_data(tmp_path: Path) -> None:
    async with embedded_stack(tmp_path) as local:
        supervisor = local.supervisor
        assert supervisor
        await create_topics(local.kafka, plan("t-", 2))
        await say(local.kafka, "t-survey-intake", b"kept")
        assert transfer(local.mongo, "t-survey") == {"_id": 1}
        for name in ("kafka", "mongo"):
            before = supervisor.pid(name)
            assert before
            os.kill(before, signal.SIGKILL)
            await eventually(partial(is_back, supervisor, name, before), 30, because=f"{name} is not back")
        assert await hear(local.kafka, "t-survey-intake", 1) == [b"kept"]
        assert transfer(local.mongo, "t-feedback") == {"_id": 1}
        pids = [supervisor.pid(name) for name in supervisor.names]
    assert not [pid for pid in pids if pid and psutil.pid_exists(pid)]


async def test_data_serves_again_on_other_ports(tmp_path: Path) -> None:
    async with embedded_stack(tmp_path) as first:
        await create_topics(first.kafka, plan("t-", 2))
        await say(first.kafka, "t-survey-intake", b"kept")
        assert transfer(first.mongo, "t-survey") == {"_id": 1}
    async with embedded_stack(tmp_path) as second:
        assert (second.kafka, second.mongo) != (first.kafka, first.mongo)
        assert await hear(second.kafka, "t-survey-intake", 1) == [b"kept"]
        assert transfer(second.mongo, "t-feedback") == {"_id": 1}
