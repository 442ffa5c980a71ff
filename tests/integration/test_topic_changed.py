"""A process that comes back to its group hears all of its topics as they are now, not as they were shared out before.

Kafka gives a member with a lasting name its former share back when it is started again within its session, and aiokafka
does not learn that it is the one who shares out (KIP-345, KIP-814).
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic

from tests.support.eventually import eventually
from tests.support.groups import shares
from tests.support.listening_process import Telling, broker_with
from tests.support.stack import RealStack
from tests.support.topics import write

pytestmark = pytest.mark.stack

PARTITIONS = 3
NAME = "the-only-one"


@pytest.fixture
async def operator(stack: RealStack) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    yield admin
    await admin.close()


@asynccontextmanager
async def listening(kafka: str, topic: str) -> AsyncIterator[Telling]:
    """A process of always the same name that listens to a topic; it is stopped at the end."""
    told = Telling()
    broker = broker_with(kafka, topic, f"group-of-{topic}", told, NAME)
    await broker.start()
    try:
        yield told
    finally:
        await broker.stop()


async def write_everywhere(kafka: str, topic: str, partitions: int) -> None:
    for partition in range(partitions):
        await write(kafka, topic, [(b"k", b"1")], partition=partition)


async def test_partitions_that_were_added_meanwhile_are_heard(stack: RealStack, operator: AIOKafkaAdminClient) -> None:
    topic = f"t{secrets.token_hex(4)}-grown"
    await operator.create_topics([NewTopic(topic, 1, 1)])
    async with listening(stack.kafka, topic) as told:
        await write_everywhere(stack.kafka, topic, 1)
        await eventually(lambda: told.taken == 1, timeout=40)
    await operator.create_partitions({topic: NewPartitions(PARTITIONS)})
    async with listening(stack.kafka, topic) as told:
        await write_everywhere(stack.kafka, topic, PARTITIONS)
        await eventually(lambda: told.taken == PARTITIONS, timeout=40, because="new partitions are heard by nobody")


async def test_a_topic_that_was_made_anew_is_heard(stack: RealStack, operator: AIOKafkaAdminClient) -> None:
    """It was gone while the process ran, so that there was nothing to share out; it came back while it did not."""
    topic = f"t{secrets.token_hex(4)}-anew"
    await operator.create_topics([NewTopic(topic, PARTITIONS, 1)])
    async with listening(stack.kafka, topic) as told:
        await write_everywhere(stack.kafka, topic, PARTITIONS)
        await eventually(lambda: told.taken == PARTITIONS, timeout=40)
        await operator.delete_topics([topic])

        async def nothing_is_shared_out() -> bool:
            held = await shares(stack.kafka, f"group-of-{topic}")
            return list(held.values()) == [set()]

        await eventually(nothing_is_shared_out, timeout=60)
    await operator.create_topics([NewTopic(topic, PARTITIONS, 1)])
    async with listening(stack.kafka, topic) as told:
        await write_everywhere(stack.kafka, topic, PARTITIONS)
        await eventually(lambda: told.taken == PARTITIONS, timeout=40, because="the topic is heard by nobody")
