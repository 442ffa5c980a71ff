"""Group commit: commands that wait at the same time are decided one after another and recorded in one transaction.

A majority commit costs the same for one command as for a hundred. While one group commits the next one gathers, so
that nothing waits for company: a lone command is a group of one.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from pymongo.errors import ConnectionFailure

from shared.contracts.state import State
from shared.plumbing.database import Document
from shared.plumbing.hiding import open_documents
from shared.plumbing.journal import Cause, Draft, Ledger, Loaded, OutcomeUnknown, Stale, Task
from shared.plumbing.settling import settle

S = TypeVar("S", bound=State)
MAX_GROUP = 128
"""Bounds the size of a transaction: events may have 1 MB each, most have one thousandth of that."""


@dataclass(eq=False)
class Wish(Generic[S]):
    """One command on its way to be recorded.

    `allow` sees what was read before the rule does, and raises when the caller has no business with it. `finish` sees
    the decided state and may write more into the same transaction; what it returns is the answer. A command that was
    answered before under the same `key` gets what `again` makes of the document kept in `answers` and its body.
    """

    task: Task[S]
    cause: Cause
    allow: Callable[[Draft], None]
    finish: Callable[[Draft, Loaded[S], datetime], Any]
    again: Callable[[Document, Mapping[str, Any]], Any]
    key: str | None = None
    also: Sequence[Task[Any]] = ()
    """Decided right after it, in the same transaction and by the same caller: all of them, or none."""
    answer: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def alone(self) -> bool:
        """Whether it shares a transaction with nothing."""
        moves = any(task.aggregate.moved is not None for task in (self.task, *self.also))
        return self.task.forgets is not None or (bool(self.also) and moves)


class Groups:
    """The commands of one service process, recorded group after group."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: list[Wish[Any]] = []
        self._worker: asyncio.Task[None] | None = None

    async def record(self, wish: Wish[S]) -> Any:
        """The answer, once what it rests on is committed.

        Raises what the rule, `finish` or `again` raised; Stale after too many lost races; OutcomeUnknown; PyMongoError.
        """
        self._waiting.append(wish)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await wish.answer

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._take(self._next_group())
        finally:
            self._worker = None

    def _next_group(self) -> list[Wish[Any]]:
        """The first that wait; of two with one key the second comes later, to see what the first has recorded.

        What forgets a person stands alone: nothing else may be written under a key that is destroyed beside it. So
        does what decides about several subjects that stand in for one another: one of these tasks may change where the
        tasks of others are decided.
        """
        if self._waiting[0].alone:
            return [self._waiting.pop(0)]
        group: list[Wish[Any]] = []
        later: list[Wish[Any]] = []
        keys: set[str] = set()
        for wish in self._waiting:
            if len(group) == MAX_GROUP or wish.key in keys or wish.alone:
                later.append(wish)
                continue
            group.append(wish)
            if wish.key is not None:
                keys.add(wish.key)
        self._waiting = later
        return group

    async def _take(self, group: Sequence[Wish[Any]]) -> None:
        """Settle a group; when it fails for a reason that may lie with one of them, each is tried alone."""
        try:
            await settle(group, self._attempt)
        except (Stale, OutcomeUnknown, ConnectionFailure) as error:
            _fail(group, error)
        except Exception as error:  # noqa: BLE001 - given to whom it concerns
            if len(group) == 1:
                _fail(group, error)
            for wish in group if len(group) > 1 else ():
                if not wish.answer.done():
                    await self._take([wish])

    async def _attempt(self, group: Sequence[Wish[Any]]) -> None:
        """Decide all on what is stored now and commit; nothing is answered before that held."""
        kept = await self._kept([wish.key for wish in group if wish.key is not None])
        draft = Draft()
        new = [wish for wish in group if wish.key not in kept]
        await self._ledger.load(draft, [task for wish in new for task in (wish.task, *wish.also)])
        now = self._ledger.clock.now()
        answers: list[tuple[Wish[Any], Any]] = []
        refused: list[tuple[Wish[Any], Exception]] = []
        for wish in group:
            try:
                if wish.key is not None and wish.key in kept:
                    answers.append((wish, wish.again(*kept[wish.key])))
                    continue
                wish.allow(draft)
                with draft.whole():
                    decided, *_ = [
                        self._ledger.decide(draft, task, now, wish.cause) for task in (wish.task, *wish.also)
                    ]
            except Exception as error:  # noqa: BLE001 - the rules' word on this command alone, nothing was noted
                refused.append((wish, error))
                continue
            answers.append((wish, wish.finish(draft, decided, now)))
        await self._ledger.commit(draft)
        for wish, answer in answers:
            if not wish.answer.done():
                wish.answer.set_result(answer)
        for wish, refusal in refused:
            _fail([wish], refusal)

    async def _kept(self, keys: Sequence[str]) -> dict[str, tuple[Document, Mapping[str, Any]]]:
        if not keys:
            return {}
        found = await self._ledger.database["answers"].find({"_id": {"$in": list(keys)}}).to_list()
        opened = await open_documents(self._ledger.keyring, [("answers", document) for document in found])
        return {document["_id"]: (document, opened["answers", document["_id"]]) for document in found}


def _fail(group: Sequence[Wish[Any]], error: Exception) -> None:
    for wish in group:
        if not wish.answer.done():
            wish.answer.set_exception(error)
