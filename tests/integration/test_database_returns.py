"""A client that met a node on its way up works as ever once the node is there."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from deploy.local import mongo
from deploy.local.ports import LOOPBACK, free_ports
from shared.plumbing.database import Client, open_client
from tests.support.eventually import eventually

pytestmark = pytest.mark.stack
ASKERS = 5


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    """Of a mongod of this test's own."""
    (port,) = free_ports(1)
    command = await asyncio.to_thread(mongo.prepare, tmp_path, port)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    try:
        await eventually(lambda: asyncio.to_thread(mongo.is_primary, port), 60, because="mongod does not come up")
        yield port
    finally:
        process.kill()
        await process.wait()


async def read(client: Client) -> Any:
    async with asyncio.timeout(2), client.start_session(snapshot=True) as session:
        return await client["test"]["things"].find_one({}, session=session)


def on_its_way_up(port: int) -> None:
    with MongoClient[dict[str, Any]](LOOPBACK, port, directConnection=True) as operator:
        operator.admin.command("replSetStepDown", 60, force=True)
        operator.admin.command("replSetMaintenance", True)


def up_again(port: int) -> None:
    with MongoClient[dict[str, Any]](LOOPBACK, port, directConnection=True) as operator:
        operator.admin.command("replSetMaintenance", False)
        operator.admin.command("replSetFreeze", 0)


async def test_snapshots_are_read_once_the_node_is_primary_again(port: int) -> None:
    async with open_client(mongo.address_of(port)) as client:
        await asyncio.to_thread(on_its_way_up, port)
        met = await asyncio.gather(*(read(client) for _ in range(ASKERS)), return_exceptions=True)
        assert all(isinstance(one, PyMongoError | TimeoutError) for one in met)
        await asyncio.to_thread(up_again, port)
        await eventually(lambda: asyncio.to_thread(mongo.is_primary, port), 60, because="mongod is not primary again")
        assert await asyncio.gather(*(read(client) for _ in range(ASKERS))) == [None] * ASKERS
