"""The one declarative thing a route says about permission: `dependencies=[allowed("customer.create")]` (S0-37, S2-21).

A gate stands before every route of an application, and so before all its dependencies: it learns who asks and looks at
what the route declares. A route without a declaration is closed to everybody but the local caller of a process without
authentication.
"""

from typing import Any, Literal

import structlog
from fastapi import Depends, Request
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from fastapi.security.base import SecurityBase
from pymongo.errors import PyMongoError
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.plumbing.access.guard import Guard
from shared.plumbing.access.permit import Permit
from shared.plumbing.problems import Problem, answer
from shared.plumbing.telemetry import logger
from shared.policy.permission.decision import Caller

_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="A JWT of the configured issuer.")
log = logger("access")
EVERYONE = "everyone"
"""Declared by the few routes that need no token."""


class Door(SecurityBase):
    """What a route declares; as a dependency it gives the route its Permit, and OpenAPI the token it takes."""

    model = _bearer.model
    scheme_name = _bearer.scheme_name

    def __init__(self, action: str, rows: bool, topic: str) -> None:
        self.action = action
        self.rows = rows
        self.topic = topic

    async def __call__(self, request: Request) -> Permit:
        permit: Permit = request.state.permit
        return permit


class OpenDoor:
    """The declaration of a route that needs no token."""

    action = EVERYONE

    async def __call__(self) -> None:
        return


def allowed(action: str, *, rows: bool = False, topic: Literal["events", "intake"] = "events") -> Any:
    """Declare a route's action. `rows`: the route, or `carry_out` for it, asks the Permit about every row it meets;
    without, it is open only to whom the action is allowed on all rows with all their fields. `topic` is whose rights
    of service accounts count."""
    return Depends(Door(action, rows, topic))


everyone = Depends(OpenDoor())


def declared(route: Any) -> Door | OpenDoor | None:
    """What a route declares, None where it forgot to."""
    found = [one.call for one in route.dependant.dependencies] if isinstance(route, APIRoute) else []
    return next((call for call in found if isinstance(call, Door | OpenDoor)), None)


def guarded(route: BaseRoute) -> APIRoute:
    """The route with a gate before it, which answers Unauthenticated, Forbidden, and Problem 503 while nobody can be
    identified. Raises TypeError for a route that could declare nothing."""
    if not isinstance(route, APIRoute):
        raise TypeError(f"{route!r} can declare no permission: give each router of a service to the service itself")
    door, behind = declared(route), route.app

    async def gate(scope: Scope, receive: Receive, send: Send) -> None:
        await _let_in(Request(scope), door)
        await behind(scope, receive, send)

    route.app = gate
    return route


async def _let_in(request: Request, door: Door | OpenDoor | None) -> None:
    request.state.permit = None
    if isinstance(door, OpenDoor):
        return
    guard: Guard = request.app.state.guard
    who = request.state.caller = await guard.identify(request.headers.get("authorization"))
    structlog.contextvars.bind_contextvars(actor=who.actor)
    if door is None:
        if not who.unrestricted:
            detail = "This route declares no permission and is closed: tell the people who run this installation."
            raise Problem(403, "undeclared", "Closed", detail)
        return
    permit = request.state.permit = await guard.permit(who, door.action, door.topic, request.state.correlation)
    request.state.caller = permit.caller
    permit.enter()
    if not door.rows:
        permit.whole()


async def caller(request: Request) -> Caller:
    """Dependency: who asks."""
    who: Caller = request.state.caller
    return who


class Withholding:
    """ASGI middleware: no answer leaves before the audit keeps what must be told of it, nor one of a route that has not
    asked its Permit about any row. Of an answer sent piece by piece each piece waits for what is told of it, and the
    answer breaks off where that cannot be kept."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        withheld = False

        async def checked(message: Message) -> None:
            nonlocal withheld
            permit: Permit | None = scope.get("state", {}).get("permit")
            if message["type"] == "http.response.start" and permit is not None:
                instead: Problem | None = permit.withhold() if message["status"] < 400 and not permit.decided else None
                instead = await _kept(permit) or instead
                if instead is not None:
                    withheld = True
                    await answer(instead)(scope, receive, send)
            elif message["type"] == "http.response.body" and permit is not None and not withheld:
                instead = await _kept(permit)
                if instead is not None:
                    raise instead
            if not withheld:
                await send(message)

        await self._app(scope, receive, checked)


async def _kept(permit: Permit) -> Problem | None:
    """Wait until the audit keeps what must be told; the problem to answer when that is not possible."""
    try:
        await permit.kept()
    except PyMongoError as error:
        log.error("the audit cannot be written, the answer is withheld", error=type(error).__name__)  # noqa: TRY400
        detail = "What you asked for must be audited, and that is not possible now; try again later."
        return Problem(503, "audit-unavailable", "Audit unavailable", detail)
    return None
