"""Several processes of one service, as `manyi up --scale` runs them: they share the work, and no number differs."""

import asyncio
import functools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo import MongoClient

from deploy.local.system import System, whole_system
from deploy.tapes.figures import check
from deploy.tapes.play import Manner, Outcome, play
from tests.journeys.test_kills import kill
from tests.journeys.test_tapes import different
from tests.support.eventually import eventually
from tests.support.groups import shares

pytestmark = pytest.mark.stack

TAPE = "known-answers"
REPORTING = {"reporting", "reporting-2", "reporting-3"}
MARKED = ("manyi-customer-events", "manyi-survey-events")


@pytest.fixture
async def scaled(tmp_path: Path) -> AsyncIterator[System]:
    names = ("customer", "survey", "reporting")
    async with whole_system(tmp_path / "data", names=names, scale={"reporting": 3, "customer": 2}) as running:
        yield running


async def played(system: System) -> Outcome:
    processes = {name: url for group in system.instances.values() for name, url in group.items()}
    manner = Manner(times=2, shuffle=20261123)
    work = functools.partial(
        play, TAPE, kafka=system.kafka, services=system.services, processes=processes, manner=manner
    )
    return await asyncio.to_thread(work)


async def shared_out(system: System) -> bool:
    """Whether each process of reporting holds a third of every topic, and one alone the watermarks."""
    counted = await shares(system.kafka, "manyi-reporting-standard-1")
    marks = await shares(system.kafka, "manyi-reporting-watermarks")
    assert {name: len(places) for name, places in counted.items()} == dict.fromkeys(REPORTING, 3 * 12 // 3)
    assert len(set().union(*counted.values())) == 3 * 12
    assert set(marks) == REPORTING
    return sorted(map(len, marks.values())) == [0, 0, 1]


async def final_through(system: System) -> dict[str, str]:
    """Process of reporting → the moment it says the marked topics are counted through for good; "" for not yet."""
    found = {}
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        for name, url in system.instances["reporting"].items():
            told: dict[str, Any] = (await client.get(f"{url}/v1/metrics/csat")).json()["watermark"]
            found[name] = min(told[topic]["final_through"] or "" for topic in MARKED)
    return found


async def test_processes_share_the_work_and_any_of_them_knows_all_of_it(scaled: System) -> None:
    await eventually(lambda: shared_out(scaled), timeout=60)
    playing = asyncio.create_task(played(scaled))
    for victim in ("reporting-2", "customer", "reporting"):
        await kill(scaled, victim)
    outcome = await playing
    assert outcome.rejected == 0, outcome.rejects[:3]
    await eventually(lambda: shared_out(scaled), timeout=60)
    for url in scaled.instances["reporting"].values():
        found = await asyncio.to_thread(check, TAPE, url)
        assert found
        assert different(found) == []
    with MongoClient[dict[str, Any]](scaled.mongo) as client:
        assert client["manyi-reporting"]["quarantine"].count_documents({}) == 0
        assert client["manyi-customer"]["leases"].count_documents({"_id": "relay"}) == 1

    async def all_final() -> dict[str, str]:
        told = await final_through(scaled)
        return told if all(told.values()) else {}

    once = await eventually(all_final, timeout=60, because="not every process of reporting knows the watermarks")

    async def later_everywhere() -> bool:
        told = await final_through(scaled)
        return all(told[name] > once[name] for name in REPORTING)

    await eventually(later_everywhere, timeout=60, because="new watermarks do not reach every process")
