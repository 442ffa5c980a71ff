"""Two systems on one machine: ports that were free, data of their own, and neither notices the other."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo import MongoClient

from deploy.local.state import SystemState
from deploy.local.system import System, whole_system
from tests.support.eventually import eventually
from tests.support.topics import read_all

pytestmark = pytest.mark.stack

TOPIC = "manyi-survey-events"


async def answer(system: System, name: str) -> None:
    data = {"response": name, "answers": [{"question": "q", "metric": "csat", "scale": [1, 5], "value": 4}]}
    event = {"specversion": "1.0", "id": name, "source": "shop", "type": "survey.answered", "data": data}
    headers = {"content-type": "application/cloudevents+json"}
    async with httpx.AsyncClient(base_url=system.services["survey"], timeout=30, trust_env=False) as client:
        told = await client.post("/v1/intake", json={**event, "time": "2026-03-05T04:00:00Z"}, headers=headers)
        assert told.is_success, told.text


def addresses(system: System) -> set[str]:
    return {system.kafka, system.mongo, *system.services.values()}


def responses(system: System) -> int:
    with MongoClient[dict[str, Any]](system.mongo) as client:
        return client["manyi-survey"]["responses"].count_documents({})


async def test_two_systems_run_side_by_side_and_one_survives_the_other(tmp_path: Path) -> None:
    async with AsyncExitStack() as longer:
        one = await longer.enter_async_context(whole_system(tmp_path / "one", names=("survey",)))
        async with whole_system(tmp_path / "two", names=("survey",)) as two:
            assert not addresses(one) & addresses(two)
            for system in (one, two):
                state = SystemState.read(system.data_dir)
                assert state is not None
                assert (state.data, state.services) == (str(system.data_dir), system.services)
            await answer(one, "a")
            await answer(one, "b")
            await answer(two, "c")
            assert await eventually(lambda: responses(one) == 2 and responses(two) == 1, 30)

            async def relayed() -> bool:
                return [len(await read_all(system.kafka, TOPIC)) for system in (one, two)] == [2, 1]

            assert await eventually(relayed, 30)
        await answer(one, "d")
        assert await eventually(lambda: responses(one) == 3, 30)
        assert [one.supervisor.starts(name) for name in one.supervisor.names] == [1] * 3
