"""What is written in one turn of the loop leaves in one piece, in order, and nothing of it too late or to nobody."""

import asyncio
from typing import cast

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn import Config, Server

from shared.plumbing.one_write import AT_MOST, Gathering, WholeAnswers
from tests.support.eventually import eventually


class Wire:
    """Where a transport's writes arrive, one by one."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@pytest.fixture
async def wire() -> tuple[Wire, Gathering]:
    found = Wire()
    return found, Gathering(cast("asyncio.Transport", found), asyncio.get_running_loop())


async def test_what_is_written_in_one_turn_is_sent_as_one_piece(wire: tuple[Wire, Gathering]) -> None:
    there, gathering = wire
    gathering.write(b"head ")
    gathering.write(b"body")
    assert there.writes == []
    await asyncio.sleep(0)
    gathering.write(b"next")
    await asyncio.sleep(0)
    assert there.writes == [b"head body", b"next"]


async def test_much_is_not_held_back(wire: tuple[Wire, Gathering]) -> None:
    there, gathering = wire
    gathering.write(b"head ")
    gathering.write(b"x" * AT_MOST)
    gathering.write(b"rest")
    assert [len(one) for one in there.writes] == [5 + AT_MOST]
    await asyncio.sleep(0)
    assert there.writes[1:] == [b"rest"]


async def test_closing_sends_what_was_written_before(wire: tuple[Wire, Gathering]) -> None:
    there, gathering = wire
    gathering.write(b"last")
    gathering.close()
    assert (there.writes, gathering.is_closing()) == ([b"last"], True)
    await asyncio.sleep(0)
    assert there.writes == [b"last"]


async def test_nothing_is_written_to_a_connection_that_was_lost_meanwhile(wire: tuple[Wire, Gathering]) -> None:
    there, gathering = wire
    gathering.write(b"answer")
    there.closed = True
    await asyncio.sleep(0)
    assert there.writes == []


async def test_an_answer_in_pieces_arrives_whole_and_the_connection_serves_another() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"two"})

    server = Server(Config(app, port=0, http=WholeAnswers, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve())
    try:
        await eventually(lambda: server.started)
        host, port = server.servers[0].sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(host, port)
        for _ in range(2):
            writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(6) == b"onetwo"
        writer.close()
    finally:
        server.should_exit = True
        await serving
