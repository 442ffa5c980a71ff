"""One command over HTTP: decide, record, one answer; the same Idempotency-Key gets the first answer again."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Header, Request
from fastapi.responses import JSONResponse
from pymongo import InsertOne

from shared.contracts.state import State
from shared.plumbing.access import Caller, Permit, facts_of
from shared.plumbing.database import Document
from shared.plumbing.grouping import Groups, Wish
from shared.plumbing.journal import Cause, Draft, Ledger, Loaded, Stale, Task
from shared.plumbing.problems import Problem
from shared.plumbing.tracing import sane_trace

S = TypeVar("S", bound=State)
ATTEMPTS = 8
ANSWERS_KEPT_DAYS = 30


@dataclass(frozen=True)
class Asked:
    """A request as a command needs it: who, under which idempotency key, and a hash of what."""

    actor: str
    correlation: str
    traceparent: str | None
    key: str | None
    fingerprint: str
    permit: Permit | None = None
    """Asked about the subject as it stands before the command is decided; None where a rule runs without a caller."""

    @property
    def cause(self) -> Cause:
        """Who brings about what is decided, and by which right."""
        right = None if self.permit is None else self.permit.right
        return Cause(self.actor, self.correlation, None, self.traceparent, right)


class Answer(JSONResponse):
    """What is answered, written as what is recorded is."""

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


async def asked(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(min_length=1, max_length=200, description="The same key and body get the first answer again."),
    ] = None,
) -> Asked:
    """Dependency of every POST route. Raises Problem 400 for a body where none is read: it would be ignored."""
    who: Caller = request.state.caller
    body = await request.body()
    if request.scope["route"].body_field is None and body.strip() not in (b"", b"{}"):
        raise Problem(400, "no-body-expected", "No body expected", "This command takes no body: send it without one.")
    place = f"{request.method} {request.scope['path']}\n".encode()
    # One caller's key must not open the answer that another one got.
    own = idempotency_key is None or who.unrestricted
    key = idempotency_key if own else f"{who.actor}\x1f{idempotency_key}"
    return Asked(
        who.actor,
        request.state.correlation,
        sane_trace(request.headers.get("traceparent")),
        key,
        hashlib.sha256(place + body).hexdigest(),
        request.state.permit,
    )


async def prepare_commands(ledger: Ledger) -> None:
    """Indexes of the kept answers; safe to repeat."""
    await ledger.database["answers"].create_index("at", expireAfterSeconds=ANSWERS_KEPT_DAYS * 86_400)
    await ledger.database["answers"].create_index("person", sparse=True)


async def carry_out(
    ledger: Ledger,
    task: Task[S],
    request: Asked,
    reply: Callable[[Loaded[S]], dict[str, Any]],
    status: int = 201,
    also: Sequence[Task[Any]] = (),
) -> JSONResponse:
    """Decide and record, in one transaction with whatever else waits; answers `reply` of the resulting state.

    `also` is decided after it, all or nothing.

    Raises the rules' Refusal; Forbidden when the permit does not reach the subject, or one of the task's `rows`;
    Problem 422 when the key was used for another request; Stale after too many lost races; OutcomeUnknown when the
    database did not say whether it recorded.
    """
    permit = request.permit

    def allow(draft: Draft) -> None:
        for aggregate, subject in task.rows or ((task.aggregate, task.subject),):
            if permit is not None:
                permit.on(facts_of(aggregate, subject, draft.now[aggregate.collection, subject]))

    def finish(draft: Draft, decided: Loaded[S], now: datetime) -> JSONResponse:
        body = reply(decided)
        if request.key is not None:
            document: Document = {
                "_id": request.key,
                "fingerprint": request.fingerprint,
                "status": status,
                "at": now,
            }
            # The answer to being forgotten is not personal, and must outlive the key.
            person = None if any(one is task for one in draft.forgotten) else decided.key
            draft.hide(document, body, f"answers/{request.key}", person)
            draft.write("answers", InsertOne(document))
        return Answer(body, status)

    def again(kept: Document, body: Mapping[str, Any]) -> JSONResponse:
        if kept["fingerprint"] != request.fingerprint:
            raise Problem(
                422,
                "idempotency-key-reused",
                "Idempotency-Key used before",
                "This Idempotency-Key was used for another request: send a new key.",
            )
        if permit is not None:
            permit.decided = True  # when it was first answered, and it is this caller's own
        return Answer(body, kept["status"], headers={"Idempotency-Replayed": "true"})

    if ledger.groups is None:
        ledger.groups = Groups(ledger)
    answer: JSONResponse = await ledger.groups.record(
        Wish(task, request.cause, allow, finish, again, request.key, also)
    )
    return answer


async def perform(ledger: Ledger, tasks: Sequence[Task[Any]], cause: Cause) -> None:
    """Decide and record what nobody waits for, in one transaction. Raises as `carry_out`; then nothing was recorded."""
    for _ in range(ATTEMPTS):
        draft = Draft()
        await ledger.load(draft, tasks)
        now = ledger.clock.now()
        for task in tasks:
            ledger.decide(draft, task, now, cause)
        try:
            await ledger.commit(draft)
        except Stale:
            continue
        return
    raise Stale
