"""Two reporting processes share the partitions; coming and going changes no number."""

from pathlib import Path
from typing import Any

import pytest

from services.reporting.main import build
from shared.contracts.survey import Answer, SurveyResponded
from tests.support.eventually import eventually
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack
from tests.support.telling import Teller
from tests.support.topics import write

pytestmark = pytest.mark.stack

A_LOT = 300


async def test_processes_come_and_go_and_every_answer_is_counted_once(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    teller = Teller()
    topic = f"{namespace.topic_prefix}survey-events"
    sent = 0

    async def send() -> None:
        nonlocal sent
        records: list[tuple[bytes | None, Any]] = []
        for number in range(sent, sent + A_LOT):
            answer = Answer(question="q", metric="csat", value=1 + number % 5, scale=(1, 5))
            event = teller.tell(f"r{number}", SurveyResponded(response_id=f"r{number}", answers=[answer]))
            records += [(event["partitionkey"].encode(), event)] * 2
        await write(stack.kafka, topic, records)
        sent += A_LOT

    async def all_counted(service: Running) -> bool:
        told = (await service.client.get("/v1/metrics/csat")).json()["total"]
        assert told["n"] <= sent
        return bool(told["n"] == sent and told["count"] == sent * 2 // 5)

    async with running(build, settings_for(stack, namespace, tmp_path, batch_records=20)) as first:
        await send()
        async with running(build, settings_for(stack, namespace, tmp_path, batch_records=20)) as second:
            await send()
            await eventually(lambda: all_counted(second), timeout=30)
            await send()
        await send()
        await eventually(lambda: all_counted(first), timeout=30)
        health = (await first.client.get("/v1/health")).json()
        assert (health["dead_letters"], health["parked"]) == (0, 0)
