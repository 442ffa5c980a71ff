"""Grades: computed for every buyer from recency, frequency and money, or decided by somebody for one customer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field

from services.customer.commands.acting import acting
from services.customer.commands.age_customers import VALID
from services.customer.desk import STORED, Desk, at_home
from services.customer.model.customer import Customer
from services.customer.model.grading import Bought, Grades, Scores, computed, counted_from, override, rfm
from services.customer.views.customer_file import Shown
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.bodies import Body
from shared.plumbing.commands import Asked, asked, carry_out, perform
from shared.plumbing.journal import Ledger, Loaded, Task
from shared.policy.approvals.acting import Acting

AT_ONCE = 200


class DecideGrade(Body):
    """Another grade than the computed one, and why."""

    grade: Code = Field(examples=["A"])
    reason: Annotated[str, Field(min_length=1, max_length=2_000)] = Field(examples=["战略客户"])


class Graded(Shown):
    """How many customers were scored."""

    scored: int


class DecidedGrade(Shown):
    """The grade alone: who may decide it need not be one who may read the file (S0-37)."""

    customer_id: str
    code: str
    grade: str | None


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """POST /v1/grades and POST /v1/customers/{customer_id}/grade."""
    router = APIRouter(prefix="/v1", tags=["grades"])

    @router.post(
        "/grades",
        summary="Compute the grade of everybody who bought lately (rfm.window)",
        dependencies=[allowed("customer.grade")],
    )
    async def compute_grades(request: Annotated[Asked, Depends(asked)]) -> Graded:
        now = ledger.clock.now()
        grades = Grades.of(desk.policies, desk.day(now))
        scores = rfm(await _bought(ledger, counted_from(desk.policies, desk.day(now), desk.zone), now))
        tasks = [_task(customer_id, one, grades) for customer_id, one in sorted(scores.items())]
        for first in range(0, len(tasks), AT_ONCE):
            await perform(ledger, tasks[first : first + AT_ONCE], request.cause)
        return Graded(scored=len(tasks))

    @router.post(
        "/customers/{customer_id}/grade",
        response_model=DecidedGrade,
        summary="Decide a grade, with a reason",
        dependencies=[allowed("customer.grade", rows=True)],
    )
    async def decide_grade(
        customer_id: Code,
        body: DecideGrade,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            at_home(customer_id, scene.now, state)
            grades = Grades.of(desk.policies, desk.day(scene.now))
            return [] if state is None else override(state, body.grade, body.reason, who.roles, grades, scene.now)

        task = Task(STORED, customer_id, rule)
        return await carry_out(ledger, task, request, _decided, status=200)

    return router


def _decided(loaded: Loaded[Customer]) -> dict[str, Any]:
    if loaded.state is None:
        raise ValueError("a rule that answered has a file")
    shown = DecidedGrade.model_validate(loaded.state.model_dump(include={"customer_id", "code", "grade"}))
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)


def _task(customer_id: str, scores: Scores, grades: Grades) -> Task[Customer]:
    def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
        return computed(state, scores, grades, scene.now)

    return Task(STORED, customer_id, rule)


async def _bought(ledger: Ledger, since: datetime, now: datetime) -> dict[str, Bought]:
    """Every customer's valid orders of this time."""
    pipeline = [
        {"$match": {"occurred_at": {"$gte": since, "$lte": now}, **VALID}},
        {
            "$group": {
                "_id": {"owner": "$owner", "currency": "$currency"},
                "last": {"$max": "$occurred_at"},
                "orders": {"$sum": 1},
                "net": {"$sum": {"$subtract": ["$amount", "$refunded"]}},
            }
        },
    ]
    found: dict[str, Bought] = {}
    async for group in await ledger.database["purchases"].aggregate(pipeline, allowDiskUse=True):
        owner, currency = group["_id"]["owner"], group["_id"]["currency"]
        days = (now - group["last"]).days
        before = found.get(owner, Bought(days, 0, {}))
        found[owner] = Bought(
            min(days, before.recency_days), before.frequency + group["orders"], {**before.money, currency: group["net"]}
        )
    return found
