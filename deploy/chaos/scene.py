"""A running system under load, and what can be done to it."""

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from pymongo import MongoClient

from deploy.chaos.load import Load
from deploy.local.ports import LOOPBACK, free_ports
from deploy.local.supervisor import Supervisor
from deploy.local.system import System, service_program

SHOWN_BY = {"survey": "responses", "customer": "purchases", "feedback": "complaints_opened"}
"""Speaker → metric that counts what it is told."""
SPEAKERS = tuple(SHOWN_BY)
SERVICES = (*SPEAKERS, "reporting")
LOOK_AGAIN_S = 0.05
SEEN_WITHIN_S = 180.0


@dataclass
class Scene:
    """`random` decides what is not said; `cycle` counts a fault's turns, `probes` the calls that are looked for."""

    system: System
    load: Load
    random: random.Random
    cycle: int = 0
    probes: int = 0
    troubles: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    beside: dict[str, list[tuple[bytes | None, bytes | None]]] = field(default_factory=dict)
    """Events topic → records that were put there by hand and count, though no journal knows of them."""

    @property
    def supervisor(self) -> Supervisor:
        return self.system.supervisor

    def send(self, name: str, number: signal.Signals) -> None:
        """To one supervised process, by its id."""
        pid = self.supervisor.pid(name)
        if pid is not None:
            os.kill(pid, number)

    async def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> float:
        """Send a deadly signal and return when, once the supervisor has started the process anew."""
        starts, since = self.supervisor.starts(name), time.monotonic()
        self.send(name, number)
        await self.until(lambda: self.supervisor.starts(name) > starts, f"{name} is not started again")
        return since

    async def ready(self, name: str) -> None:
        await self.until(lambda: self.supervisor.is_ready(name), f"{name} is not ready")

    async def until(self, condition: Callable[[], bool], trouble: str, within: float = SEEN_WITHIN_S) -> None:
        """Raises TimeoutError, saying what the trouble is."""
        deadline = time.monotonic() + within
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(trouble)
            await asyncio.sleep(LOOK_AGAIN_S)

    async def recovery(self, since: float, speaker: str = "survey", reporting: str | None = None) -> float:
        """Seconds from `since` until a call that is made now to the speaker is counted."""
        self.probes += 1
        name = f"probe-{self.probes}"
        await self.load.call(self.load.caller.probe(name, speaker))
        deadline = time.monotonic() + SEEN_WITHIN_S
        while time.monotonic() < deadline:
            try:
                if await self.counted(SHOWN_BY[speaker], name, reporting) == 1:
                    return time.monotonic() - since
            except (httpx.HTTPError, ValueError, KeyError):
                pass  # reporting is the one that is away
            await asyncio.sleep(LOOK_AGAIN_S)
        self.troubles.append(f"{name} to {speaker} was not counted within {SEEN_WITHIN_S:.0f} s")
        return SEEN_WITHIN_S

    async def counted(self, metric: str, channel: str, reporting: str | None = None) -> int:
        """How many of one channel reporting has counted. Raises httpx.HTTPError, ValueError, KeyError."""
        url = f"{reporting or self.system.services['reporting']}/v1/metrics/{metric}"
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            told = (await client.get(url, params={"where.channel": channel})).json()
            return int(told["total"]["n"])

    async def health(self) -> dict[str, Any]:
        """What reporting says of itself. Raises httpx.HTTPError."""
        async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
            answer = await client.get(f"{self.system.services['reporting']}/v1/health")
            return dict(answer.raise_for_status().json())

    @asynccontextmanager
    async def second(self, name: str) -> AsyncIterator[str]:
        """Another instance of a service beside the first, ready; its address."""
        url = f"http://{LOOPBACK}:{free_ports(1)[0]}"
        keys = str(self.system.data_dir / "keys.json")
        stack = {"MANYI_KAFKA": self.system.kafka, "MANYI_MONGO": self.system.mongo, "MANYI_KEYS_FILE": keys}
        logs = self.system.data_dir / "logs" / "second"
        supervisor = Supervisor([service_program(name, f"{name}-2", url, stack, logs, ())])
        await supervisor.start(SEEN_WITHIN_S)
        try:
            yield url
        finally:
            await supervisor.stop()

    @contextmanager
    def database(self, service: str) -> Iterator[Any]:
        """The service's database (blocking)."""
        with MongoClient[dict[str, Any]](self.system.mongo, serverSelectionTimeoutMS=20_000) as client:
            yield client[f"manyi-{service}"]

    async def pause(self, least: float, most: float) -> None:
        """Let the load go on for a random while."""
        await asyncio.sleep(self.random.uniform(least, most))


@contextmanager
def started_with(variable: str, value: str) -> Iterator[None]:
    """Processes that are started meanwhile see the variable."""
    os.environ[variable] = value
    try:
        yield
    finally:
        del os.environ[variable]
