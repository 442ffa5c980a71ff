"""The stream of changes over HTTP: many watch, any process goes on where another stopped, and a stop is not held up."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.reporting.main import build
from shared.contracts.feedback import ComplaintOpened
from tests.component.test_reporting import answered, send
from tests.support.service import running, settings_for
from tests.support.stack import Namespace, RealStack
from tests.support.telling import NOON, Teller

pytestmark = pytest.mark.stack
Told = tuple[str, dict[str, Any], str | None]
WATCHERS = 300


@asynccontextmanager
async def crowd(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client that opens as many connections as there are watchers."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
        yield client


@asynccontextmanager
async def watching(
    client: httpx.AsyncClient, since: str | None = None, **query: str
) -> AsyncIterator[AsyncGenerator[Told]]:
    """The events of one stream: name, data and id."""
    headers = {} if since is None else {"last-event-id": since}
    async with client.stream("GET", "/v1/stream", params=query, headers=headers) as answer:
        assert answer.status_code == 200
        yield events(answer)


async def events(answer: httpx.Response) -> AsyncGenerator[Told]:
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
            continue
        if "data" in fields:
            yield fields["event"], json.loads(fields["data"]), fields.get("id")
        fields = {}


async def until(stream: AsyncGenerator[Told], subject: str) -> tuple[list[str], str]:
    """Ids of the responses told of, until this one; and the position there."""
    found: list[str] = []
    async for name, data, position in stream:
        if name == "facts":
            found += data["facts"].get("responses", {"ids": []})["ids"]
            if subject in found:
                assert position
                return found, position
    raise AssertionError(f"the stream ended after {found}")


async def test_changes_are_told_and_another_process_goes_on_where_one_stopped(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    teller = Teller()
    complaint = teller.tell("k1", ComplaintOpened(case_id="k1", opened_at=NOON))

    async def answer(*subjects: str) -> None:
        await send(stack, namespace, "survey", [teller.tell(one, answered(one, 5, "east")) for one in subjects])

    async with running(build, settings_for(stack, namespace, tmp_path)) as first, crowd(first.url) as to:
        async with watching(to, metric="csat") as stream, watching(to, metric="complaints_opened") as other:
            assert (await anext(stream))[0] == "begin"
            assert (await anext(other))[0] == "begin"
            await answer("r1")
            name, data, position = await anext(stream)
            assert (name, data["metrics"], data["facts"]) == (
                "facts",
                ["csat"],
                {"responses": {"count": 1, "ids": ["r1"]}},
            )
            await answer("r2")
            await until(stream, "r2")
            await send(stack, namespace, "feedback", [complaint])
            assert (await anext(other))[1]["metrics"] == ["complaints_opened"]
        await answer("r3", "r4")
        async with watching(to) as stream:
            await anext(stream)
            await answer("r5")
            await until(stream, "r5")
    async with running(build, settings_for(stack, namespace, tmp_path)) as second, crowd(second.url) as to:
        async with watching(to, position) as stream:
            assert (await anext(stream))[1] == {"position": position}
            found, _ = await until(stream, "r5")
            assert sorted(found) == ["r2", "r3", "r4", "r5"]
        for nonsense, begins in (("0" * 20, ["begin", "reset", "begin"]), ("nonsense", ["reset", "begin"])):
            async with watching(to, nonsense) as stream:
                assert [(await anext(stream))[0] for _ in begins] == begins


async def test_three_hundred_watch_at_once_and_a_stop_ends_their_streams(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    begun = asyncio.Semaphore(0)

    async def watch(client: httpx.AsyncClient) -> bool:
        async with watching(client, metric="responses") as stream:
            assert (await anext(stream))[0] == "begin"
            begun.release()
            await until(stream, "r1")
            begun.release()
            return [name async for name, _, _ in stream] == []

    settings = settings_for(stack, namespace, tmp_path)
    async with crowd(f"http://{settings.host}:{settings.port}") as to:
        async with running(build, settings):
            watchers = [asyncio.create_task(watch(to)) for _ in range(WATCHERS)]
            async with asyncio.timeout(180):
                for _ in range(WATCHERS):
                    await begun.acquire()
                await send(stack, namespace, "survey", [Teller().tell("r1", answered("r1", 5, "east"))])
                for _ in range(WATCHERS):
                    await begun.acquire()
        assert all(await asyncio.gather(*watchers))
