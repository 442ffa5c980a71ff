"""One id for a request and all it brings about; foreign ids only in forms that cannot hide a name or a number."""

import re
import time
import uuid

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.plumbing.telemetry import logger

log = logger("app")
_CORRELATION = re.compile(r"[0-9a-f]{32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def sane_correlation(offered: str | None) -> str | None:
    """The correlation id if it is a UUID or 32 hexadecimal digits, else None: it travels with every event."""
    return offered if offered is not None and _CORRELATION.fullmatch(offered) else None


def sane_trace(offered: str | None) -> str | None:
    """The W3C traceparent if it is one, else None."""
    return offered if offered is not None and _TRACEPARENT.fullmatch(offered) else None


class Correlated:
    """ASGI middleware: every request has a correlation id, the caller's if it is a UUID; logs and events carry it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        offered = dict(scope["headers"]).get(b"x-correlation-id", b"").decode("latin-1")
        correlation = sane_correlation(offered) or uuid.uuid4().hex
        scope.setdefault("state", {})["correlation"] = correlation
        structlog.contextvars.bind_contextvars(correlation=correlation)
        started = time.monotonic()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-correlation-id", correlation.encode())]
                took = round((time.monotonic() - started) * 1000, 1)
                log.debug("answered", method=scope["method"], path=scope["path"], status=message["status"], ms=took)
            await send(message)

        await self._app(scope, receive, answer)
