"""Counting anew beside live traffic: equal to the byte, taken over by whoever counts, nothing lost when it dies."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from pymongo.errors import WriteConcernError

from deploy.local.places import ROOT
from services.reporting.configuration import definitions
from services.reporting.main import build
from services.reporting.rebuild import begun
from shared.contracts.customer import PurchaseCancelled, PurchaseRecorded
from shared.contracts.feedback import CaseClosed, ComplaintOpened
from shared.contracts.survey import Answer, SurveyResponded
from shared.plumbing.generations import RETIRED_FOR, Generations
from shared.plumbing.settings import Settings
from tests.support.contents import contents
from tests.support.eventually import eventually
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack
from tests.support.telling import Teller

pytestmark = pytest.mark.stack

STANDARD = definitions()[0]
FIRST_DAY = datetime(2026, 3, 1, 4, tzinfo=UTC)
SETTLED = "2026-03-03"
"""A recorded day that later traffic leaves alone."""
A_DAY = 10


class Traffic:
    """Rounds of five events about subjects of their own; orders come and go, so that sums come to nothing."""

    def __init__(self, kafka: str, topic_prefix: str) -> None:
        self._producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all")
        self._prefix = topic_prefix
        self._teller = Teller()
        self._rounds = 0
        self.sent = 0

    async def __aenter__(self) -> "Traffic":
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def send(self, rounds: int) -> None:
        by_speaker: dict[str, list[dict[str, Any]]] = {"customer": [], "survey": [], "feedback": []}
        for number in range(self._rounds, self._rounds + rounds):
            self._round(number, by_speaker)
        self._rounds += rounds
        for speaker, events in by_speaker.items():
            topic = f"{self._prefix}{speaker}-events"
            for event in events:
                await self._producer.send(topic, orjson.dumps(event), key=event["partitionkey"].encode())
            self.sent += len(events)
        await self._producer.flush()

    def _round(self, number: int, told: dict[str, list[dict[str, Any]]]) -> None:
        day = FIRST_DAY + timedelta(days=number // A_DAY)
        dims = {"source": "shop", "region": ("east", "west")[number % 2]}
        order = {"amount": 5_000_000_000, "currency": "CNY", "occurred_at": day, "dims": dims}
        customer, case, response = f"c{number % 7}", f"k{number}", f"r{number}"
        answer = Answer(question="q", metric="csat", value=1 + number % 5, scale=(1, 5))
        bought = PurchaseRecorded(customer_id=customer, purchase_id=f"o{number}", **order)
        opened = ComplaintOpened(case_id=case, opened_at=day, dims=dims)
        told["customer"].append(self._teller.tell(customer, bought, time=day))
        told["feedback"].append(self._teller.tell(case, opened, time=day))
        said = SurveyResponded(response_id=response, answers=[answer], dims=dims)
        told["survey"].append(self._teller.tell(response, said, time=day))
        if number >= A_DAY:
            earlier = number - A_DAY
            then = FIRST_DAY + timedelta(days=earlier // A_DAY)
            customer, case = f"c{earlier % 7}", f"k{earlier}"
            void = PurchaseCancelled(customer_id=customer, purchase_id=f"o{earlier}", **{**order, "occurred_at": then})
            closed = CaseClosed(case_id=case, at=day, sla_kept=bool(earlier % 3))
            told["customer"].append(self._teller.tell(customer, void, time=day))
            told["feedback"].append(self._teller.tell(case, closed, time=day))

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """More and more of it, until the block ends."""
        ended = asyncio.Event()

        async def go_on() -> None:
            while not ended.is_set():
                await self.send(2)

        going = asyncio.create_task(go_on())
        try:
            yield
        finally:
            ended.set()
            await going


async def counted(service: Running, prefix: str, traffic: Traffic) -> None:
    """Wait until a generation's cursors have passed all that was sent."""

    async def passed() -> bool:
        cursors = await service.service.database[f"{prefix}.cursors"].find({}).to_list()
        return bool(sum(cursor["next"] for cursor in cursors) == traffic.sent)

    await eventually(passed, 60)


async def answers(service: Running) -> list[dict[str, Any]]:
    """What is asked of days past, and of single facts: none of it may change."""
    told = []
    for question in (
        f"/v1/metrics/csat?as_of={SETTLED}&by=region",
        f"/v1/metrics/purchases?as_of={SETTLED}",
        f"/v1/metrics/sla_kept/why?from_as_of=2026-03-01&to_as_of={SETTLED}&by=region",
        "/v1/facts/k3/history",
        "/v1/facts/responses/r4",
    ):
        answer = await service.client.get(question)
        assert answer.status_code == 200, answer.text
        told.append({name: value for name, value in answer.json().items() if name != "watermark"})
    return told


async def manyi_rebuild(settings: Settings, crash_at: str = "") -> tuple[int, str, str]:
    """The command's exit status, and what it said on stdout and stderr."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "MANYI_KAFKA": settings.kafka,
        "MANYI_MONGO": settings.mongo,
        "MANYI_KEYS_FILE": str(settings.keys_file),
        "MANYI_TOPIC_PREFIX": settings.topic_prefix,
        "MANYI_DATABASE_PREFIX": settings.database_prefix,
        "MANYI_CRASH_AT": crash_at,
    }
    command = [sys.executable, "-P", "-m", "deploy.cli", "rebuild", "reporting", "--json"]
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=PIPE)
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_beside_running_traffic_it_counts_the_same_to_the_byte_and_takes_over(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    settings = settings_for(stack, namespace, tmp_path, batch_records=20)
    async with running(build, settings) as service, Traffic(stack.kafka, namespace.topic_prefix) as traffic:
        database = service.service.database
        await traffic.send(50)
        await counted(service, "standard-1", traffic)
        before = await answers(service)
        async with begun(settings, STANDARD) as (number, building):
            async with traffic.going_on():
                while building.progress.done < 300:
                    await building.step()
            await counted(service, "standard-1", traffic)
            while building.progress.done < traffic.sent:
                await building.step()
            live, rebuilt = await contents(database, "standard-1"), await contents(database, f"standard-1.{number}")
            assert {part for part, rows in rebuilt.items() if rows} == {
                "cells", "changes", "dated", "facts.cases", "facts.customers", "facts.responses",
            }  # fmt: skip
            assert live == rebuilt
            async with traffic.going_on():
                await building.run(lambda _: None)
        await counted(service, f"standard-1.{number}", traffic)
        assert await answers(service) == before
        total = (await service.client.get("/v1/metrics/responses")).json()["total"]["value"]
        assert total == await database[f"standard-1.{number}.facts.responses"].count_documents({})
        await Generations(database, STANDARD.set_name).sweep(datetime.now(UTC) + 2 * RETIRED_FOR)
        assert await contents(database, "standard-1") == {}
        assert await answers(service) == before


async def test_a_swap_whose_answer_got_lost_counts(
    stack: RealStack, namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(stack, namespace, tmp_path)
    async with running(build, settings) as service, Traffic(stack.kafka, namespace.topic_prefix) as traffic:
        await traffic.send(20)
        await counted(service, "standard-1", traffic)
        swap = Generations.swap

        async def answer_lost(*arguments: Any) -> bool:
            assert await swap(*arguments)
            raise WriteConcernError("operation was interrupted", 11601)

        async with begun(settings, STANDARD) as (number, building):
            while building.progress.done < traffic.sent:
                await building.step()
            monkeypatch.setattr(Generations, "swap", answer_lost)
            await building.run(lambda _: None)
        assert (await Generations(service.service.database, STANDARD.set_name).standing()).live == number


async def test_one_that_dies_leaves_the_old_one_answering_and_counting(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    settings = settings_for(stack, namespace, tmp_path)
    async with running(build, settings) as service, Traffic(stack.kafka, namespace.topic_prefix) as traffic:
        database = service.service.database
        await traffic.send(50)
        await counted(service, "standard-1", traffic)
        before = await answers(service)
        status, _, said = await manyi_rebuild(settings, "committer.written")
        assert (status, "status -9" in said) == (1, True)
        assert await answers(service) == before
        # Dying within the swap it holds every cursor that live counting has to move.
        status, _, said = await manyi_rebuild(settings, "generations.swapped")
        assert (status, "status -9" in said) == (1, True)
        await traffic.send(20)
        await counted(service, "standard-1", traffic)
        assert await answers(service) == before
        status, told, _ = await manyi_rebuild(settings)
        (line,) = json.loads(told)["rebuilt"]
        assert (status, line["projection"], line["generation"], line["done"]) == (0, STANDARD.label, 4, traffic.sent)
        standing = await Generations(database, STANDARD.set_name).standing()
        assert (standing.live, standing.building) == (4, None)
        assert await answers(service) == before
        leftovers = [name for name in await database.list_collection_names() if name.startswith("standard-1.2.")]
        assert leftovers == []
        await traffic.send(20)
        await counted(service, "standard-1.4", traffic)
        async with begun(settings, STANDARD) as (number, building):
            while building.progress.done < traffic.sent:
                await building.step()
            assert await contents(database, "standard-1.4") == await contents(database, f"standard-1.{number}")
