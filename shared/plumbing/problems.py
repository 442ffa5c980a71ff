"""Errors over HTTP: RFC 9457 problem documents with a stable slug and what to do; and bodies read strictly.

A body over the limit is 413, one that is not strict JSON (duplicate keys, bad UTF-8, deep nesting) is 400, before any
route sees it.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from pymongo.errors import PyMongoError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.contracts.decision import Refusal, TooEarly
from shared.plumbing.cloudevents import Malformed, parse_json
from shared.plumbing.journal import OutcomeUnknown, Stale
from shared.plumbing.telemetry import logger

log = logger("http")


class Problem(Exception):
    """An answer other than success. `slug` is stable and names the kind, `detail` says what to do."""

    def __init__(self, status: int, slug: str, title: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.slug = slug
        self.title = title
        self.detail = detail
        self.more = more
        self.headers: dict[str, str] = {}


class ProblemDocument(BaseModel):
    """RFC 9457 body, as documented in each OpenAPI description."""

    model_config = ConfigDict(extra="allow")
    type: str = Field(examples=["/problems/not-found"])
    title: str
    status: int
    detail: str


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": text,
        "content": {"application/problem+json": {"schema": ProblemDocument.model_json_schema()}},
    }
    for status, text in (
        (400, "The body is not strict JSON"),
        (401, "No token, or one that does not count here"),
        (403, "The caller lacks the permission; it is named"),
        (404, "Nothing of that name"),
        (409, "A rule says no"),
        (413, "The body is too large"),
        (422, "The request says something impossible"),
        (503, "The database cannot be reached; nothing was recorded unless the detail says otherwise"),
    )
}


def answer(problem: Problem) -> JSONResponse:
    """The problem as a response."""
    body = {
        "type": f"/problems/{problem.slug}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        **problem.more,
    }
    return JSONResponse(body, problem.status, problem.headers, media_type="application/problem+json")


def answer_problems(app: FastAPI) -> None:
    """Make every error of the application a problem document."""

    async def on_problem(_request: Request, error: Exception) -> JSONResponse:
        return answer(problem_of(error))

    for kind in (
        Problem,
        Refusal,
        TooEarly,
        Malformed,
        RequestValidationError,
        HTTPException,
        PyMongoError,
        Stale,
        OutcomeUnknown,
        Exception,
    ):
        app.add_exception_handler(kind, on_problem)


def problem_of(error: Exception) -> Problem:
    """What is answered instead of an error."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, Refusal):
        return Problem(error.STATUS, error.SLUG, _title(error.SLUG), str(error))
    if isinstance(error, TooEarly):
        return Problem(409, "too-early", "Too early", f"{error}; record that first, then send this again")
    if isinstance(error, Malformed):
        return _malformed(error)
    if isinstance(error, RequestValidationError):
        errors = [
            {"at": ".".join(str(step) for step in item["loc"]), "problem": item["msg"]} for item in error.errors()
        ]
        return Problem(422, "invalid", "Invalid request", "Correct the fields named in `errors`.", errors=errors)
    if isinstance(error, HTTPException):
        called = str(error.detail)
        detail = f"{called} here: look in /openapi.json for the paths and methods that there are."
        return Problem(error.status_code, _slug(called), called, detail)
    if isinstance(error, OutcomeUnknown):
        detail = "It is unknown whether this was recorded: send it again with the same Idempotency-Key."
        return Problem(503, "outcome-unknown", "Outcome unknown", detail)
    if isinstance(error, Stale):
        return Problem(
            503,
            "busy",
            "Too busy",
            "Others changed the same record all the time, and nothing was recorded; send it again.",
        )
    if isinstance(error, PyMongoError):
        log.error("database trouble", error=f"{type(error).__name__}: {error}")
        return Problem(503, "database-unavailable", "Database unavailable", "Nothing was recorded; try again later.")
    log.error("unexpected fault", exc_info=error)
    return Problem(
        500,
        "internal-fault",
        "Internal fault",
        "This is our fault: tell the people who run this installation the correlation id, by which it is logged.",
    )


def _malformed(error: Malformed) -> Problem:
    return Problem(400, "malformed", "Malformed", f"{error}; correct it and send it again")


def _title(slug: str) -> str:
    """What a kind of refusal is called: the words of its slug."""
    return slug.replace("-", " ").capitalize()


def _slug(text: str) -> str:
    return text.lower().replace(" ", "-")


class StrictBodies:
    """ASGI middleware: bounds every body and refuses JSON that a lenient parser would guess at.

    `larger` are the paths of uploads, each with its own bound.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, larger: Mapping[str, int]) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        most = self._larger.get(scope["path"], self._max_bytes)
        body = await self._read(receive, headers, most)
        if body is None:
            detail = f"A request body may have at most {most} bytes; send less at once."
            await answer(Problem(413, "body-too-large", "Body too large", detail))(scope, receive, send)
            return
        if body and headers.get(b"content-type", b"").split(b";")[0].strip().lower().endswith(b"json"):
            try:
                parse_json(body)
            except Malformed as error:
                await answer(_malformed(error))(scope, receive, send)
                return
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    async def _read(self, receive: Receive, headers: Mapping[bytes, bytes], most: int) -> bytes | None:
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > most:
            return None
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > most:
                return None
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                return bytes(body)
