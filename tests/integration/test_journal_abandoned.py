"""A process that died inside a transaction of the journal does not hold up those who write the same subjects."""

import asyncio

import pytest

from shared.plumbing.abandoned import end_former
from shared.plumbing.database import open_client
from shared.plumbing.journal import Stale
from tests.support.eventually import eventually
from tests.support.ledgers import SERVICE, booking, carried_out, ledger, stored
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack


async def test_the_open_transaction_of_a_dead_writer_is_ended_when_it_is_in_the_way(
    stack: RealStack, namespace: Namespace
) -> None:
    dead = open_client(stack.mongo)
    try:
        async with ledger(stack, namespace) as alive:
            await carried_out(alive, booking("a", "1", 10))
            session = dead.start_session()
            await session.start_transaction()
            held = dead[f"{namespace.database_prefix}{SERVICE}"]["accounts"]
            await held.update_one({"_id": "a"}, {"$inc": {"version": 1}}, session=session)

            async def booked() -> bool:
                try:
                    await carried_out(alive, booking("a", "3", 5))
                except Stale:
                    return False
                return True

            async with asyncio.timeout(50):  # the server itself would end it after 60 s
                assert not await booked()
                await eventually(booked, timeout=60)
            account = await stored(alive, "a")
            assert account is not None
            assert account.total == 15
    finally:
        await dead.close()


async def test_who_starts_under_a_dead_writers_name_need_not_wait_for_its_transaction(
    stack: RealStack, namespace: Namespace
) -> None:
    dead = open_client(stack.mongo, f"{namespace.topic_prefix}bank/one")
    other = open_client(stack.mongo, f"{namespace.topic_prefix}bank/two")
    try:
        async with ledger(stack, namespace) as alive:
            await carried_out(alive, booking("a", "1", 10), booking("b", "2", 10))
            for client, subject in ((dead, "a"), (other, "b")):
                session = client.start_session()
                await session.start_transaction()
                held = client[f"{namespace.database_prefix}{SERVICE}"]["accounts"]
                await held.update_one({"_id": subject}, {"$inc": {"version": 1}}, session=session)
            await end_former(alive.client, f"{namespace.topic_prefix}bank/one")
            await carried_out(alive, booking("a", "3", 5))
            with pytest.raises(Stale):
                await carried_out(alive, booking("b", "4", 5))
            await end_former(alive.client, f"{namespace.topic_prefix}bank/two")
            await carried_out(alive, booking("b", "4", 5))
    finally:
        await dead.close()
        await other.close()
