"""Say that a file is right, and have the others put right: cleaning tasks, in rounds (S1-06, S2-20, S3-25)."""

import uuid
from collections.abc import Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field

from services.customer.assessing import QUALITIES
from services.customer.desk import STORED, Desk, at_home
from services.customer.model.cleaning import ask
from services.customer.model.customer import Customer
from services.customer.model.deadlines import Deadlines
from services.customer.model.open_timers import CLEANING
from services.customer.model.quality import problems_of, verify
from services.customer.views.customer_file import CustomerFile, Shown, as_file
from services.customer.views.quality import Queue, queued
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.bodies import Body
from shared.plumbing.commands import Asked, asked, carry_out, perform
from shared.plumbing.journal import Cause, Ledger, Stale, Task
from shared.plumbing.telemetry import logger
from shared.policy.calendar.business import CalendarYearUnknown
from shared.policy.policies import LimitUnset

AT_ONCE = 200
ROUNDS = "cleaning rounds"
ROUNDS_EVERY_S = 30.0
QUEUES: tuple[Queue, ...] = ("invalid", "stale")
log = logger("cleaning")
MOST = 10_000
"""Tasks asked for in one round: those of the worst files, or of the longest unverified ones."""


class StartRound(Body):
    """Which files are to be put right, and how many of them at most."""

    queue: Queue
    most: Annotated[int, Field(ge=1, le=MOST)] = MOST


class Round(Shown):
    """How many files of the queue were looked at, and how many new tasks there are."""

    files: int
    asked: int


class Cleanings:
    """Asks for tasks: when somebody starts a round, and by itself every `cleaning.every`."""

    def __init__(self, ledger: Ledger, desk: Desk, deadlines: Deadlines) -> None:
        self._ledger = ledger
        self._desk = desk
        self._deadlines = deadlines
        self._marks = ledger.database["marks"]

    async def prepare(self) -> None:
        """The first regular round counts from the first start; safe to repeat."""
        now = {"at": self._ledger.clock.now()}
        await self._marks.update_one({"_id": ROUNDS}, {"$setOnInsert": now}, upsert=True)

    async def step(self) -> int:
        """Chore: the regular round, when it is due; answers how many tasks it asked for. Nothing while unset."""
        now = self._ledger.clock.now()
        last = await self._marks.find_one({"_id": ROUNDS})
        try:
            every, _ = self._desk.policies.span("cleaning.every", self._desk.day(now))
            if last is None or now < self._deadlines.due(last["at"], every).at:
                return 0
            rounds = [await self.start(queue, MOST, Cause("cleaning")) for queue in QUEUES]
        except (LimitUnset, CalendarYearUnknown, Stale) as error:
            log.warning("no regular cleaning round now", reason=str(error))
            return 0
        await self._marks.update_one({"_id": ROUNDS, "at": last["at"]}, {"$set": {"at": now}})
        return sum(one.asked for one in rounds)

    async def start(self, queue: Queue, most: int, cause: Cause) -> Round:
        """Ask for a task for each file of the queue that has none. Repeatable. Raises LimitUnset."""
        now = self._ledger.clock.now()
        wanted, order = queued(queue, self._desk.measure(now))
        cursor = self._ledger.database[QUALITIES].find(wanted, {"_id": 1}).sort([(order, 1), ("_id", 1)]).limit(most)
        ids = [document["_id"] async for document in cursor]
        asked: dict[str, bool] = {}
        for first in range(0, len(ids), AT_ONCE):
            tasks = [
                Task(STORED, one, partial(self._asking, asked, uuid.uuid4().hex), follow=False)
                for one in ids[first : first + AT_ONCE]
            ]
            await perform(self._ledger, tasks, cause)
        return Round(files=len(ids), asked=sum(asked.values()))

    def _asking(self, asked: dict[str, bool], cleaning_id: str, state: Customer | None, scene: Scene) -> Sequence[Said]:
        if state is None:
            return []
        on = self._desk.day(scene.now)
        within, _ = self._desk.policies.span("cleaning.task.within", on)
        due = self._deadlines.due(scene.now, within)
        target = self._deadlines.target(CLEANING, scene.now, due)
        role = self._desk.policies.value("cleaning.owner", on).value
        problems = problems_of(state, self._desk.measure(scene.now))
        told = ask(state, cleaning_id, problems, role, due, target, scene.now)
        asked[state.customer_id] = bool(told)
        return told


def routes(ledger: Ledger, desk: Desk, cleanings: Cleanings) -> APIRouter:
    """POST /v1/customers/{customer_id}/verification and POST /v1/cleanings/rounds."""
    router = APIRouter(prefix="/v1", tags=["quality"])

    @router.post(
        "/customers/{customer_id}/verification",
        response_model=CustomerFile,
        summary="Say that a file was compared with the customer's own word and is right",
        dependencies=[allowed("customer.write", rows=True)],
    )
    async def verify_file(customer_id: Code, request: Annotated[Asked, Depends(asked)]) -> JSONResponse:
        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            at_home(customer_id, scene.now, state)
            return [] if state is None else verify(state, scene.now)

        task = Task(STORED, customer_id, rule)
        return await carry_out(ledger, task, request, partial(as_file, desk), status=200)

    @router.post(
        "/cleanings/rounds",
        summary="Ask for a cleaning task for each file of a queue that has none",
        dependencies=[allowed("quality.clean")],
    )
    async def start_round(body: StartRound, request: Annotated[Asked, Depends(asked)]) -> Round:
        return await cleanings.start(body.queue, body.most, request.cause)

    return router
