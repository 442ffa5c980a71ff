"""A service under test stops in bounded time, whoever still holds a connection: a failure is told at once."""

import asyncio
from pathlib import Path

import pytest

from services.reporting.main import build
from tests.component.test_stream import crowd
from tests.support import service
from tests.support.service import running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
HALF_A_REQUEST = b"POST /v1/dead-letters/x/retry HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"


class Failure(Exception):
    """What a test fails with."""


async def test_neither_half_a_request_nor_an_unread_stream_holds_up_the_stop(
    stack: RealStack, namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ENDS_STREAMS_WITHIN_S", 1)
    settings = settings_for(stack, namespace, tmp_path)
    async with crowd(f"http://{settings.host}:{settings.port}") as to:

        async def fails() -> None:
            async with running(build, settings):
                _, writer = await asyncio.open_connection(settings.host, settings.port)
                held.append(writer)
                writer.write(HALF_A_REQUEST)
                await writer.drain()
                stream = await to.send(to.build_request("GET", "/v1/stream"), stream=True)
                assert stream.status_code == 200
                raise Failure

        held: list[asyncio.StreamWriter] = []
        with pytest.raises(Failure):
            await fails()
        held[0].close()
