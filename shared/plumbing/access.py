"""The one point where a request is given a name. Authentication and roles enter here; until then everyone is local."""

from dataclasses import dataclass

from fastapi import Request


@dataclass(frozen=True)
class Caller:
    """Who asks, as written into events (`actor`)."""

    actor: str


async def caller(_request: Request) -> Caller:
    """The caller of a request. A process without authentication listens on the loopback interface only (app.py)."""
    return Caller("local")
