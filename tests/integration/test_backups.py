"""An older backup put back: reporting counts the rest again, a service that has said more refuses to start."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.supervisor import Program, Supervisor
from deploy.local.system import is_ready
from deploy.local.trouble import CannotContinue
from services.reporting.main import build
from shared.contracts.survey import Answer, SurveyResponded
from tests.support.backups import vault_of
from tests.support.customers import wang
from tests.support.eventually import eventually
from tests.support.service import Running, environment_of, running, settings_for
from tests.support.stack import Namespace, RealStack
from tests.support.telling import Teller
from tests.support.topics import read_all, write

pytestmark = pytest.mark.stack


async def counted(reporting: Running, answers: int) -> bool:
    told = (await reporting.client.get("/v1/metrics/csat")).json()["total"]
    assert told["n"] <= answers
    return bool(told["n"] == answers)


async def test_reporting_with_an_older_backup_counts_the_rest_again(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    teller = Teller()

    async def answer(first: int, last: int) -> None:
        said: list[tuple[bytes | None, Any]] = []
        for number in range(first, last):
            value = Answer(question="q", metric="csat", value=1 + number % 5, scale=(1, 5))
            event = teller.tell(f"r{number}", SurveyResponded(response_id=f"r{number}", answers=[value]))
            said.append((event["partitionkey"].encode(), event))
        await write(stack.kafka, f"{namespace.topic_prefix}survey-events", said)

    settings = settings_for(stack, namespace, tmp_path)
    await answer(0, 40)
    async with running(build, settings) as reporting:
        await eventually(partial(counted, reporting, 40), timeout=30)
    backup = await vault_of(settings).take("reporting")
    await answer(40, 100)
    async with running(build, settings) as reporting:
        await eventually(partial(counted, reporting, 100), timeout=30)
        before = (await reporting.client.get("/v1/metrics/csat", params={"by": "source"})).json()
    await vault_of(settings).put_back(backup, "reporting")
    async with running(build, settings) as reporting:
        await eventually(partial(counted, reporting, 100), timeout=30)
        after = (await reporting.client.get("/v1/metrics/csat", params={"by": "source"})).json()
        assert (after["total"], after["groups"]) == (before["total"], before["groups"])
        health = (await reporting.client.get("/v1/health")).json()
        assert (health["dead_letters"], health["parked"]) == (0, 0)


async def test_a_speaking_service_with_an_older_backup_refuses_to_start(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    settings = settings_for(stack, namespace, tmp_path)
    url = f"http://{settings.host}:{settings.port}"
    program = Program(
        "customer",
        [sys.executable, "-P", "-m", "services.customer"],
        tmp_path / "log",
        ready=partial(is_ready, url),
        environment=environment_of(settings),
    )
    topic = f"{settings.topic_prefix}customer-events"
    supervisor = Supervisor([program])
    await supervisor.start(90)
    try:
        backup = await vault_of(settings).take("customer")
        async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as asking:
            assert (await asking.post("/v1/customers", json=wang())).status_code == 201
        await eventually(lambda: read_all(stack.kafka, topic), timeout=30)
    finally:
        await supervisor.stop()
    supervisor = Supervisor([program])
    await supervisor.start(90)  # with its own journal it starts again
    await supervisor.stop()
    await vault_of(settings).put_back(backup, "customer")
    said = rf"customer ended with status 78 .*{topic}/\d says 1 events that are not in the journal.*docs/runbook\.md"
    with pytest.raises(CannotContinue, match=said):
        await Supervisor([program]).start(90)
