"""While another generation begins to answer: nothing of one comes into another, and the new one is not behind."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiokafka import TopicPartition

from shared.plumbing.database import Database, open_client
from shared.plumbing.generations import Generations
from shared.plumbing.sealing import Seal
from shared.plumbing.slips import Slip
from shared.plumbing.store import Move, Writes
from shared.plumbing.store_mongo import MongoStore
from tests.support.stack import RealStack

pytestmark = pytest.mark.stack
HERE = TopicPartition("t", 0)


@pytest.fixture
async def database(stack: RealStack) -> AsyncIterator[Database]:
    client = open_client(stack.mongo)
    database = client[f"t{secrets.token_hex(4)}-posting"]
    yield database
    await client.drop_database(database.name)
    await client.close()


def opened(kind: type[MongoStore], database: Database, generation: int | None = None) -> Any:
    return kind(database.client, database, Seal(bytes(32)), name="s", owner="test", generation=generation)


class Slow(MongoStore):
    """Stands still in every posting between removing the slips and adding to the cells."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.removed, self.goes_on = asyncio.Event(), asyncio.Event()

    async def _add(self, *arguments: Any) -> None:
        self.removed.set()
        await self.goes_on.wait()
        await super()._add(*arguments)


async def test_no_sum_is_added_to_a_generation_that_counted_it_itself(database: Database) -> None:
    counting, anew = opened(Slow, database), opened(MongoStore, database, 2)
    for store in (counting, anew):
        await store.prepare([])
    cursor = (await counting.claim([HERE]))[HERE]
    slip = Slip("one", "t/0", 1, {})
    counting.goes_on.set()
    await counting.commit({HERE: Move(cursor, 1, None)}, Writes(slip=slip))
    counting.removed.clear()
    counting.goes_on.clear()
    cells = {"responses||2026-03|t/0|[]": {"responses.m.03.n": 1}}
    posting = asyncio.create_task(counting.post(Writes(live=cells, posted=[slip])))
    await counting.removed.wait()
    await database["generations"].update_one({"_id": "s"}, {"$set": {"live": 2, "last": 2}})
    await counting.claim([HERE])
    counting.goes_on.set()
    await posting
    assert await database["s.slips"].count_documents({}) == 0
    assert await database["s.cells"].distinct("_id") == list(cells)
    assert await database["s.2.cells"].count_documents({}) == 0
    for store in (counting, anew):
        await store.close()


class Raced(MongoStore):
    """Somebody is faster, between its look at the generations and its first claim."""

    first: Callable[[], Awaitable[None]] | None

    async def _claim_all(self, *arguments: Any) -> Any:
        if self.first is not None:
            first, self.first = self.first, None
            await first()
        return await super()._claim_all(*arguments)


async def test_who_claims_while_counting_is_held_is_held_as_well(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would count on, and what takes over would be behind what was seen already."""
    monkeypatch.setattr("shared.plumbing.generations.HOLD_S", 0.2)
    generations, counting = Generations(database, "s"), opened(Raced, database)
    await counting.prepare([])
    async with database.client.start_session() as session:
        number = await generations.begin(session)

        async def hold() -> None:
            await generations.hold(number, [HERE], session)

        counting.first = hold
        await counting.claim([HERE])
    assert not (await generations.standing()).held, "given up waiting for, before anything is claimed"
    await counting.close()


async def test_who_took_so_long_that_counting_goes_on_takes_nothing_over(database: Database) -> None:
    """What was counted meanwhile may stand behind the ends of the logs that it knows."""
    generations, store = Generations(database, "s"), opened(MongoStore, database)
    await store.prepare([])
    async with database.client.start_session() as session:
        number = await generations.begin(session)
        await generations.hold(number, [HERE], session)
        await generations.release()
        assert not await generations.swap(number, {HERE: 0}, session)
        assert (await generations.standing()).live != number
        await generations.hold(number, [HERE], session)
        assert await generations.swap(number, {HERE: 0}, session)
        assert (await generations.standing()).live == number
    await store.close()
