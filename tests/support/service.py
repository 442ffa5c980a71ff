"""A service in the test's own process: the real application on a real port, over the real stack."""

import asyncio
import json
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn

from deploy.local.places import ROOT
from shared.plumbing.app import Service
from shared.plumbing.serving import application
from shared.plumbing.settings import Settings
from tests.support.eventually import eventually
from tests.support.stack import Namespace, RealStack

ENDS_STREAMS_WITHIN_S = 10
"""As in production: who is still being answered then is cut off."""
STOPS_WITHIN_S = 60.0


@dataclass(frozen=True)
class Running:
    """A started service: its HTTP client, and the service with its database."""

    client: httpx.AsyncClient
    service: Service
    url: str


def settings_for(stack: RealStack, namespace: Namespace, folder: Path, **more: object) -> Settings:
    """Settings of a service in one test's corner of the stack, with keys of its own."""
    keys = folder / "keys.json"
    if not keys.exists():
        keys.write_text(json.dumps({name: secrets.token_hex(32) for name in ("installation_key", "master_key")}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return Settings(
        kafka=stack.kafka,
        mongo=stack.mongo,
        port=port,
        keys_file=keys,
        topic_prefix=namespace.topic_prefix,
        database_prefix=namespace.database_prefix,
        **more,  # type: ignore[arg-type]
    )


def environment_of(settings: Settings) -> dict[str, str]:
    """The same for a service in a process of its own."""
    told = {"kafka", "mongo", "host", "port", "keys_file", "audit_dir", "topic_prefix", "database_prefix"}
    given = settings.model_dump(include=told, exclude_none=True)
    environment = {f"MANYI_{name.upper()}": str(value) for name, value in given.items()}
    return environment | {"PYTHONPATH": str(ROOT)}


@asynccontextmanager
async def running(
    build: Callable[[Settings], Service], settings: Settings, probe: Mapping[str, str] | None = None
) -> AsyncIterator[Running]:
    """Serve until the block ends; the service is ready, its partitions assigned, when the block begins.

    `probe` are the headers with which its health may be asked where that takes a token.
    """
    service = build(settings)
    app = application(service)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        ws="none",
        timeout_graceful_shutdown=ENDS_STREAMS_WITHIN_S,
    )
    server = uvicorn.Server(config)
    app.state.stopping = lambda: server.should_exit
    task = asyncio.create_task(server.serve())
    url = f"http://{settings.host}:{settings.port}"
    try:
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:

            async def ready() -> bool:
                if task.done():
                    task.result()
                if not server.started:
                    return False
                health = (await client.get("/v1/health", headers=probe)).json()
                lags = [lag for name, lag in health["lag"].items() if name != "relay"]
                return bool(health["ready"]) and None not in lags

            await eventually(ready, timeout=40)
            yield Running(client, service, url)
    finally:
        server.should_exit = True
        await stopped(task)


async def stopped(serving: asyncio.Task[None]) -> None:
    """Wait until it has ended; AssertionError, with what still runs, when that does not come about."""
    await asyncio.wait([serving], timeout=STOPS_WITHIN_S)
    if not serving.done():
        stands = [f"{task.get_name()}: {task.get_stack(limit=1)}" for task in asyncio.all_tasks()]
        serving.cancel()
        raise AssertionError(f"not stopped within {STOPS_WITHIN_S:.0f} s:\n" + "\n".join(stands))
    serving.result()
