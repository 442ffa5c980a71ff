"""A process that died inside a transaction of the journal does not hold up those who write the same subjects."""

import asyncio

import pytest

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
                    await carried_out(alive, booking("a", "2", 5))
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
