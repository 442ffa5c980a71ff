"""Pytest plugin: the same plumbing over Motor, for who must stay on it (`-p tests.support.over_motor`).

Motor is past its end of life; the default is PyMongo Async (docs/decisions). The plugin changes the one seam that opens
a client. Three things differ, and are levelled here alone: opening a session is awaited, starting a transaction is not,
and closing the client is not. Cursors, writes, reads, commands, commits and aborts are called alike.
"""

from importlib.metadata import version
from types import TracebackType
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient

from shared.plumbing import database as seam


class _Opening:
    """A session as PyMongo Async opens it: `async with client.start_session() as session`."""

    def __init__(self, opened: Any) -> None:
        self._opened = opened
        self._session: Any = None

    async def __aenter__(self) -> Any:
        self._session = await self._opened
        start = self._session.start_transaction

        async def start_transaction(*arguments: Any, **options: Any) -> Any:
            return start(*arguments, **options)

        self._session.start_transaction = start_transaction
        return self._session

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.end_session()


class MotorClient(AsyncIOMotorClient[dict[str, Any]]):
    """A Motor client that is called as a PyMongo Async one."""

    def start_session(self, **options: Any) -> Any:  # type: ignore[override]
        return _Opening(super().start_session(**options))

    async def close(self) -> None:  # type: ignore[override]
        super().close()


def open_client(address: str, name: str = "manyi") -> Any:
    """What the seam opens instead, with its own settings."""
    return MotorClient(
        address,
        tz_aware=True,
        w="majority",
        journal=True,
        retryWrites=True,
        serverSelectionTimeoutMS=5_000,
        connectTimeoutMS=5_000,
        appname=name,
    )


def pytest_configure() -> None:
    """Before any test module is imported."""
    seam.open_client = open_client


def pytest_report_header() -> str:
    """So that the log shows what was tested."""
    return f"MongoDB driver: motor {version('motor')}"
