"""Topics that are no longer what they were are refused, on a real Kafka that an operator laid hands on."""

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.errors import UnknownTopicOrPartitionError

from shared.plumbing.database import Database, open_client
from shared.plumbing.logs import LogBroken
from shared.plumbing.standing import NEWEST, Standing
from shared.plumbing.store import Cursor
from tests.support.eventually import eventually
from tests.support.stack import Namespace, RealStack
from tests.support.topics import write

pytestmark = pytest.mark.stack


@pytest.fixture
async def database(stack: RealStack, namespace: Namespace) -> AsyncIterator[Database]:
    client = open_client(stack.mongo)
    yield client[f"{namespace.database_prefix}standing"]
    await client.close()


@asynccontextmanager
async def operator(stack: RealStack) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def refused(standing: Standing) -> str:
    """What it is refused with; brokers learn of a change a moment after it was acknowledged."""

    async def why() -> str:
        try:
            await standing.check()
        except LogBroken as refusal:
            return str(refusal)
        except UnknownTopicOrPartitionError:
            return ""
        return ""

    return await eventually(why, timeout=30)


async def test_added_partitions_are_refused_also_while_it_runs(
    stack: RealStack, namespace: Namespace, database: Database
) -> None:
    topic = f"{namespace.topic_prefix}survey-events"
    standing = Standing(database, stack.kafka, [topic])
    await standing.check()
    await standing.look()
    async with operator(stack) as admin:
        await admin.create_partitions({topic: NewPartitions(5)})
    assert f"{topic} has 5 partitions and had 4" in await refused(standing)
    with pytest.raises(LogBroken, match="5 partitions"):
        await standing.look()
    with pytest.raises(LogBroken, match=r"See docs/runbook\.md"):
        await Standing(database, stack.kafka, [topic]).check()


async def test_a_topic_made_anew_is_refused_empty_and_however_long_it_has_become(
    stack: RealStack, namespace: Namespace, database: Database
) -> None:
    topic = f"t{secrets.token_hex(4)}-anew"
    standing = Standing(database, stack.kafka, [topic])
    with pytest.raises(UnknownTopicOrPartitionError):
        await standing.check()
    async with operator(stack) as admin:
        await admin.create_topics([NewTopic(topic, 1, 1)])
        await eventually(lambda: stands(standing), timeout=30)
        await write(stack.kafka, topic, [(None, b"one"), (None, b"two")])
        await standing.look()
        await standing.check()
        await admin.delete_topics([topic])

        async def made_again() -> bool:
            answer = await admin.create_topics([NewTopic(topic, 1, 1)])
            return bool(answer.topic_errors[0][1] == 0)

        await eventually(made_again, timeout=30)
        assert "ends at offset 0 and once ended at 2: the topic was made anew" in await refused(standing)
        await write(stack.kafka, topic, [(None, b"one"), (None, b"two"), (None, b"three")])
        assert f"{topic}/0 begins with another record than before" in await refused(standing)
        await admin.delete_topics([topic])


async def stands(standing: Standing) -> bool:
    try:
        await standing.check()
    except UnknownTopicOrPartitionError:
        return False
    return True


async def test_what_retention_took_is_missed_only_by_who_had_not_counted_it(
    stack: RealStack, namespace: Namespace, database: Database
) -> None:
    topic = f"{namespace.topic_prefix}dead-letters"
    cursor = Cursor(2, 1)

    async def cursors() -> Mapping[TopicPartition, Cursor]:
        return {TopicPartition(topic, 0): cursor}

    standing = Standing(database, stack.kafka, [topic], counted=[cursors])
    await write(stack.kafka, topic, [(None, b"word")] * 8)
    await standing.check()
    async with operator(stack) as admin:
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(5)})
    assert f"{topic}/0 begins at offset 5, but only 2 records of it are counted" in await refused(standing)
    cursor = Cursor(5, 1)
    await standing.check()
    cursor = Cursor(9, 1)
    with pytest.raises(LogBroken, match="ends at offset 8, but it is counted up to 9"):
        await standing.check()


async def test_a_topic_ahead_of_the_journal_is_refused(
    stack: RealStack, namespace: Namespace, database: Database
) -> None:
    topic = f"{namespace.topic_prefix}customer-events"
    standing = Standing(database, stack.kafka, [topic], spoken=(topic, "manyi/customer"))
    said: list[tuple[bytes | None, Any]] = [
        (f"{number % 3}".encode(), {"source": "manyi/customer", "subject": f"s{number % 3}", "revision": number})
        for number in range(NEWEST + 20)
    ]
    journal = [{"_id": f"{event['subject']}:{event['revision']}"} for _, event in said]
    await database["journal"].insert_many(journal)
    await write(
        stack.kafka, topic, [*said, (b"0", {"source": "else", "subject": "s0", "revision": 7}), (b"1", b"\xff")]
    )
    await standing.check()
    newest = journal[-1]["_id"]
    await database["journal"].delete_one({"_id": newest})
    with pytest.raises(LogBroken, match=f"1 events that are not in the journal, one of them {newest}"):
        await standing.check()
