"""Plan how a customer, or every customer of a grade, is looked after; adjust, carry out and review the plan (S3-02)."""

import hashlib
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field, model_validator

from services.customer.commands.by_when import ByWhen
from services.customer.desk import STORED, at_home
from services.customer.model.customer import Customer
from services.customer.model.deadlines import Deadlines
from services.customer.model.open_timers import MAINTENANCE
from services.customer.model.plans import MOST_STEPS, Draft, Wanted, adjust, plan, review, take
from services.customer.views.plans import ShownPlan, as_plan
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.bodies import Body
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger, Loaded, Task

Text = Annotated[str, Field(min_length=1, max_length=2_000)]


class PlanStep(ByWhen):
    """What is done, which needs of the customer it answers, and by when."""

    kind: Code = Field(examples=["visit"])
    what: Text = Field(examples=["现场校准并了解备件需求"])
    needs: Annotated[list[Code], Field(max_length=20)] = []

    def wanted(self, deadlines: Deadlines, now: datetime) -> Wanted:
        """The step with its deadline. Raises LimitUnset, CalendarYearUnknown."""
        target = deadlines.target(MAINTENANCE, now, self.due(deadlines, now))
        return Wanted(self.kind, self.what, tuple(self.needs), target)


class MakePlan(Body):
    """A plan with its steps; `kind` maintenance, or service for one made from what is known of the customer (S3-17)."""

    kind: Code = Field("maintenance", examples=["maintenance", "service"])
    title: Text = Field(examples=["2026年下半年维护计划"])
    steps: Annotated[list[PlanStep], Field(min_length=1, max_length=MOST_STEPS)]

    def draft(self, deadlines: Deadlines, now: datetime, drive_id: str | None = None) -> Draft:
        """The plan with its deadlines. Raises LimitUnset, CalendarYearUnknown."""
        steps = [one.wanted(deadlines, now) for one in self.steps]
        return Draft(self.kind, self.title, steps, deadlines.review(now), drive_id)


class AdjustPlan(Body):
    """Steps to add, open ones to drop, and why."""

    add: Annotated[list[PlanStep], Field(max_length=MOST_STEPS)] = []
    drop: Annotated[list[Code], Field(max_length=MOST_STEPS)] = []
    reason: Text = Field(examples=["客户需求变化"])

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.add and not self.drop:
            raise ValueError("say which steps to add or to drop")
        return self


class TakeStep(Body):
    """What came of it."""

    note: Text | None = Field(None, examples=["已回访，客户满意"])


class ReviewRelation(Body):
    """How the relation stands, from 0 to 100, and why (S3-05)."""

    score: Annotated[int, Field(ge=0, le=100)]
    note: Text = Field(examples=["交付及时，备件价格有异议"])


def routes(ledger: Ledger, deadlines: Deadlines) -> APIRouter:
    """POST below /v1/customers/{customer_id}/maintenance-plans."""
    router = APIRouter(prefix="/v1/customers/{customer_id}/maintenance-plans", tags=["maintenance plans"])

    async def record(
        customer_id: str, plan_id: str, step: Callable[[Customer, datetime], Sequence[Said]], request: Asked, new: bool
    ) -> JSONResponse:
        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            at_home(customer_id, scene.now, state)
            return [] if state is None else step(state, scene.now)

        def reply(loaded: Loaded[Customer]) -> dict[str, Any]:
            if loaded.state is None:
                raise ValueError("a rule that answered has a file")
            return as_plan(loaded.state.customer_id, plan_id, loaded.state.plans[plan_id], ledger.clock.now())

        # A new plan is made for the file that stands in for this one; an old one stays where it was made.
        task = Task(STORED, customer_id, rule, {"plans": frozenset({plan_id})}, follow=new)
        return await carry_out(ledger, task, request, reply, status=201 if new else 200)

    @router.post(
        "",
        status_code=201,
        response_model=ShownPlan,
        summary="Plan how a customer is looked after",
        dependencies=[allowed("customer.write", rows=True)],
    )
    async def post_plan(customer_id: Code, body: MakePlan, request: Annotated[Asked, Depends(asked)]) -> JSONResponse:
        plan_id = uuid.uuid4().hex

        def step(state: Customer, now: datetime) -> Sequence[Said]:
            return plan(state, plan_id, body.draft(deadlines, now), now)

        return await record(customer_id, plan_id, step, request, new=True)

    @router.post(
        "/{plan_id}/adjustments",
        response_model=ShownPlan,
        summary="Add steps to a plan, or drop open ones",
        dependencies=[allowed("customer.write", rows=True)],
    )
    async def post_adjustment(
        customer_id: Code, plan_id: Code, body: AdjustPlan, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        def step(state: Customer, now: datetime) -> Sequence[Said]:
            added = [one.wanted(deadlines, now) for one in body.add]
            return adjust(state, plan_id, added, body.drop, body.reason, now)

        return await record(customer_id, plan_id, step, request, new=False)

    @router.post(
        "/{plan_id}/steps/{step}/done",
        response_model=ShownPlan,
        summary="Say that a step was taken",
        dependencies=[allowed("customer.write", rows=True)],
    )
    async def post_done(
        customer_id: Code, plan_id: Code, step: Code, body: TakeStep, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        return await record(
            customer_id, plan_id, lambda state, now: take(state, plan_id, step, body.note, now), request, new=False
        )

    @router.post(
        "/{plan_id}/reviews",
        response_model=ShownPlan,
        summary="Weigh the relation",
        dependencies=[allowed("customer.write", rows=True)],
    )
    async def post_review(
        customer_id: Code, plan_id: Code, body: ReviewRelation, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        def step(state: Customer, now: datetime) -> Sequence[Said]:
            return review(state, plan_id, body.score, body.note, deadlines.review(now), now)

        return await record(customer_id, plan_id, step, request, new=False)

    return router


def plan_of_drive(drive_id: str, customer_id: str) -> str:
    """The id of a customer's plan in a drive: the drive plans nobody twice."""
    return hashlib.sha256(f"{drive_id}\x1f{customer_id}".encode()).hexdigest()[:32]
