"""What another version of the program counted is neither read nor gone on with: it is counted anew."""

import secrets
from collections.abc import AsyncIterator

import pytest

from shared.plumbing.database import Database, open_client
from shared.plumbing.generations import FORMAT, Generations
from shared.plumbing.sealing import Seal
from shared.plumbing.store_mongo import MongoStore
from tests.integration.test_committer import CASES, SURVEYS
from tests.support.stack import RealStack

pytestmark = pytest.mark.stack


@pytest.fixture
async def database(stack: RealStack) -> AsyncIterator[Database]:
    client = open_client(stack.mongo)
    database = client[f"t{secrets.token_hex(4)}-formats"]
    yield database
    await client.drop_database(database.name)
    await client.close()


def store(database: Database, generation: int | None = None) -> MongoStore:
    return MongoStore(database.client, database, Seal(bytes(32)), name="test-1", owner="test", generation=generation)


async def test_one_that_counted_by_another_format_is_left_for_an_empty_one(database: Database) -> None:
    await database["test-1.cursors"].insert_one(
        {"_id": "manyi-survey-events/0", "next": 7, "epoch": 3, "recorded": None}
    )
    for process in (store(database), store(database)):
        await process.prepare(["responses"])
        claimed = await process.claim([SURVEYS, CASES])
        assert {place: cursor.next for place, cursor in claimed.items()} == {SURVEYS: 0, CASES: 0}
        await process.close()
    standing = await Generations(database, "test-1").standing()
    assert (standing.live, standing.formats, [*standing.retired]) == (2, {"2": FORMAT}, ["1"])
    assert (await database["test-1.cursors"].find_one({}) or {})["next"] == 7


async def test_one_of_ours_is_gone_on_with(database: Database) -> None:
    counting = store(database)
    await counting.prepare(["responses"])
    await database["test-1.cursors"].insert_one(
        {"_id": "manyi-survey-events/0", "next": 7, "epoch": 3, "recorded": None}
    )
    again = store(database)
    await again.prepare(["responses"])
    assert (await again.claim([SURVEYS]))[SURVEYS].next == 7
    assert (await Generations(database, "test-1").standing()).live == 1
    for process in (counting, again):
        await process.close()


async def test_a_rebuild_begins_in_ours(database: Database) -> None:
    generations = Generations(database, "test-1")
    async with database.client.start_session() as session:
        number = await generations.begin(session)
    building = store(database, number)
    await building.prepare(["responses"])
    assert (await generations.standing()).formats == {str(number): FORMAT}
    await building.close()
