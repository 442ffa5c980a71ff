"""A worker that died inside a transaction does not hold up its successor."""

import asyncio
import secrets

import pytest
from aiokafka import TopicPartition

from shared.plumbing.database import open_client
from shared.plumbing.sealing import Seal
from shared.plumbing.store_mongo import MongoStore
from tests.support.stack import RealStack

pytestmark = pytest.mark.stack


@pytest.mark.parametrize("doing", ["_committing", "_posting"])
async def test_the_open_transaction_of_a_dead_worker_is_ended_at_the_claim(stack: RealStack, doing: str) -> None:
    place = TopicPartition("t", 0)
    dead_client, client = open_client(stack.mongo), open_client(stack.mongo)
    name = f"t{secrets.token_hex(4)}-killed"
    dead = MongoStore(dead_client, dead_client[name], Seal(bytes(32)), name="s", owner="dead")
    await dead.prepare([])
    await dead.claim([place])
    session = getattr(dead, doing)
    await session.start_transaction()
    cursors = dead_client[name]["s.cursors"]
    await cursors.update_one({"_id": "t/0"}, {"$set": {"next": 99}}, session=session)
    successor = MongoStore(client, client[name], Seal(bytes(32)), name="s", owner="successor")
    try:
        async with asyncio.timeout(10):
            claimed = await successor.claim([place])
        assert (claimed[place].next, claimed[place].epoch) == (0, 2)
    finally:
        await successor.close()
        await dead.close()
        await client.drop_database(name)
        await client.close()
        await dead_client.close()
