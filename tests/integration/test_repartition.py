"""`manyi repartition`: other partitions, the same numbers; refused while anything runs."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.anew import publish_anew
from deploy.local.places import ROOT
from deploy.local.state import refuse_without_data
from deploy.local.system import System, whole_system
from deploy.local.topics import existing_topics, journaled_topics, plan
from deploy.local.trouble import CannotContinue
from tests.support.eventually import eventually

pytestmark = pytest.mark.stack

SERVICES = ("survey", "reporting")
ANSWERS = 30


async def manyi_repartition(data: Path, partitions: int) -> tuple[int | None, str]:
    """The command's exit status, and what it said on stderr."""
    command = ["-P", "-m", "deploy.cli", "repartition", "--partitions", str(partitions), "--data", str(data)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=PIPE,
    )  # fmt: skip
    _, said = await process.communicate()
    return process.returncode, said.decode()


async def answer(system: System) -> None:
    headers = {"content-type": "application/cloudevents+json"}
    async with httpx.AsyncClient(base_url=system.services["survey"], timeout=30, trust_env=False) as client:
        for number in range(ANSWERS):
            score = {"question": "q", "metric": "csat", "scale": [1, 5], "value": 1 + number % 5}
            data = {"response": f"r{number}", "answers": [score], "dims": {"region": ("east", "west")[number % 2]}}
            event = {"specversion": "1.0", "id": f"r{number}", "source": "shop", "type": "survey.answered"}
            said = {**event, "time": f"2026-03-{1 + number % 28:02}T04:00:00Z", "data": data}
            assert (await client.post("/v1/intake", json=said, headers=headers)).is_success


async def numbers(system: System) -> dict[str, Any]:
    """What reporting answers once all is counted, apart from how far that is."""
    async with httpx.AsyncClient(base_url=system.services["reporting"], timeout=30, trust_env=False) as client:

        async def counted() -> dict[str, Any] | None:
            told: dict[str, Any] = (await client.get("/v1/metrics/csat", params={"by": "region"})).json()
            assert told["total"]["n"] <= ANSWERS
            return told if told["total"]["n"] == ANSWERS else None

        told = await eventually(counted, 60)
        assert told is not None
        return {"total": told["total"], "groups": told["groups"]}


async def test_other_partitions_and_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    with pytest.raises(CannotContinue, match="There is no data of Manyi"):
        refuse_without_data(data)
    async with whole_system(data, names=SERVICES) as system:
        await answer(system)
        before = await numbers(system)
        monkeypatch.setattr("deploy.local.anew.STOPPED_WITHIN_S", 0)
        with pytest.raises(CannotContinue, match="survey, reporting still runs: stop every service first"):
            await publish_anew(system.kafka, system.mongo, journaled_topics(plan(partitions=5)), "manyi-")
    status, said = await manyi_repartition(data, 5)
    assert (status, "Start with MANYI_PARTITIONS=5" in said) == (0, True), said
    monkeypatch.setenv("MANYI_PARTITIONS", "5")
    async with whole_system(data, names=SERVICES) as system:
        assert await numbers(system) == before
        found = await existing_topics(system.kafka, plan())
        assert {name: count for name, count in found.items() if name.endswith(("-events", "-intake"))} == {
            **{f"manyi-{name}-events": 5 for name in ("customer", "survey", "feedback", "reporting")},
            **{f"manyi-{name}-intake": 12 for name in ("customer", "survey", "feedback")},
        }
