"""The load: calls at a steady pace, each repeated with its identity until acknowledged, then put in the ledger."""

import asyncio
import contextlib
import json
import random
import time
from collections import Counter

import httpx
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from deploy.chaos.calls import Caller, Plan
from deploy.chaos.ledger import Ledger
from deploy.local.system import System

TICK_S = 0.05
TRY_AGAIN_S = 0.3
SENDERS = 4
"""Commands over HTTP at a time."""


class Load:
    """Calls `rate` times a second while it is not paused."""

    def __init__(self, system: System, ledger: Ledger, seed: int, rate: float) -> None:
        self.system = system
        self.ledger = ledger
        self.rate = rate
        self.times = (1, 1)
        """How often each record on Kafka is sent: from, to."""
        self.refusals: Counter[int] = Counter()
        """Calls over HTTP that were answered with a status other than success."""
        self.random = random.Random(seed)  # noqa: S311 - a load for trials, nothing secret
        self.caller = Caller(self.random)
        self._running = asyncio.Event()
        self._due: asyncio.Queue[Plan] = asyncio.Queue()
        self._records: asyncio.Queue[Plan] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._make()), asyncio.create_task(self._write())]
        self._tasks += [asyncio.create_task(self._command()) for _ in range(SENDERS)]
        self.go_on()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def go_on(self) -> None:
        self._running.set()

    async def pause(self, within: float = 180.0) -> None:
        """No new calls; returns when all that were made are acknowledged. Raises TimeoutError."""
        self._running.clear()
        joined = asyncio.create_task(self._joined())
        done, _ = await asyncio.wait([joined, *self._tasks], timeout=within, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if not done:
            raise TimeoutError(f"calls are not acknowledged after {within:.0f} s")

    async def _joined(self) -> None:
        await self._due.join()
        await self._records.join()

    async def call(self, plan: Plan) -> None:
        """One call besides, until it is acknowledged."""
        await (self._records if plan.way == "kafka" else self._due).put(plan)

    async def _make(self) -> None:
        owed, last = 0.0, time.monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            await self._running.wait()
            now = time.monotonic()
            owed, last = min(owed + (now - last) * self.rate, self.rate), now
            while owed >= 1 and self._records.qsize() < 5 * self.rate:
                owed -= 1
                await self.call(self.caller.next())

    async def _write(self) -> None:
        """Records to the intake topics; a producer that failed is replaced, and what it left open sent again."""
        waiting: list[Plan] = []
        while True:
            producer = AIOKafkaProducer(
                bootstrap_servers=self.system.kafka, enable_idempotence=True, linger_ms=5, request_timeout_ms=10_000
            )
            try:
                await producer.start()
                while True:
                    if not waiting:
                        waiting.append(await self._records.get())
                    while len(waiting) < 500 and not self._records.empty():
                        waiting.append(self._records.get_nowait())
                    await self._send(producer, waiting)
                    self.ledger.append(plan.call for plan in waiting)
                    for _ in waiting:
                        self._records.task_done()
                    waiting = []
            except (KafkaError, OSError):
                await asyncio.sleep(TRY_AGAIN_S)
            finally:
                with contextlib.suppress(KafkaError, OSError, TimeoutError):
                    await asyncio.wait_for(producer.stop(), 5)

    async def _send(self, producer: AIOKafkaProducer, plans: list[Plan]) -> None:
        repeated = [plan for plan in plans for _ in range(self.random.randint(*self.times))]
        if len(repeated) > len(plans):
            self.random.shuffle(repeated)
        pending = [
            await producer.send(f"manyi-{plan.service}-intake", json.dumps(plan.body).encode(), key=plan.key.encode())
            for plan in repeated
        ]
        await asyncio.gather(*pending)

    async def _command(self) -> None:
        async with httpx.AsyncClient(timeout=15, trust_env=False) as client:
            while True:
                plan = await self._due.get()
                while not await self._posted(client, plan):  # noqa: ASYNC110 - the service has to answer
                    await asyncio.sleep(TRY_AGAIN_S)
                self.ledger.append([plan.call])
                self._due.task_done()

    async def _posted(self, client: httpx.AsyncClient, plan: Plan) -> bool:
        """Whether it was acknowledged. A refusal would be a fault of the load, and is raised."""
        kind = "application/json" if plan.way == "command" else "application/cloudevents+json"
        headers = {"content-type": kind, "idempotency-key": plan.key}
        url = f"{self.system.services[plan.service]}{plan.path}"
        try:
            answer = await client.post(url, content=json.dumps(plan.body), headers=headers)
        except httpx.HTTPError:
            return False
        if 400 <= answer.status_code < 500 and answer.status_code not in (409, 429):
            raise RuntimeError(f"{url} refused a call of the load: {answer.status_code} {answer.text[:300]}")
        if not answer.is_success:
            self.refusals[answer.status_code] += 1
        return answer.is_success
