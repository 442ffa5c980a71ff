"""Head and body of an answer in one write: uvicorn writes one after the other, and uvloop sends each write at once.

Each is a call into the system, a packet, and a waking of whoever waits for the answer.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

AT_MOST = 65_536
"""Bytes that are held back; an answer that comes faster than turns of the loop must meet the transport's own limit."""


class Gathering:
    """A transport that sends in one piece what is written in one turn of the loop."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = bytearray()

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self._send)
        self._held += data
        if len(self._held) >= AT_MOST:
            self._send()

    def close(self) -> None:
        self._send()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _send(self) -> None:
        held, self._held = self._held, bytearray()
        if held and not self._transport.is_closing():
            self._transport.write(held)


class WholeAnswers(HttpToolsProtocol):
    """HTTP as uvicorn speaks it, over a transport that gathers."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", Gathering(transport, self.loop)))
