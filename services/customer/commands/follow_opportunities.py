"""Open what may be sold to a customer, follow it through its stages, and close it, by HTTP (S2-05)."""

import uuid
from collections.abc import Callable, Sequence
from datetime import date
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field, model_validator

from services.customer.desk import STORED, Desk, at_home
from services.customer.model.customer import Customer
from services.customer.model.opportunities import Chance, Stages, close, move, open_one
from services.customer.views.opportunities import ShownOpportunity, as_opportunity
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code, Currency
from shared.plumbing.access import allowed
from shared.plumbing.bodies import Body
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger, Loaded, Task

Text = Annotated[str, Field(min_length=1, max_length=2_000)]
Amount = Annotated[int, Field(ge=0, le=2**53)]


class OpenOpportunity(Body):
    """What may be sold: stage, amount in minor currency units, the day on which it is expected to be decided."""

    title: Text = Field(examples=["三坐标测量机更新"])
    stage: Code = Field(examples=["identified"])
    amount: Amount
    currency: Currency = "CNY"
    product_line: Code | None = None
    expected_close: date


class MoveOpportunity(Body):
    """Another stage, amount or day; what is left out stays."""

    stage: Code | None = Field(None, examples=["proposed"])
    amount: Amount | None = None
    expected_close: date | None = None
    note: Text | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.stage is None and self.amount is None and self.expected_close is None:
            raise ValueError("say another stage, amount or expectedClose")
        return self


class CloseOpportunity(Body):
    """Won or lost, and why (a code); the amount agreed where it differs."""

    outcome: Literal["won", "lost"]
    reason: Code = Field(examples=["price"])
    amount: Amount | None = None
    note: Text | None = None


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """POST below /v1/customers/{customer_id}/opportunities."""
    router = APIRouter(prefix="/v1/customers/{customer_id}/opportunities", tags=["opportunities"])

    async def record(
        customer_id: str,
        opportunity_id: str,
        step: Callable[[Customer, Scene, Stages], Sequence[Said]],
        request: Asked,
        new: bool,
    ) -> JSONResponse:
        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            at_home(customer_id, scene.now, state)
            stages = Stages.of(desk.policies, desk.day(scene.now))
            return [] if state is None else step(state, scene, stages)

        def reply(loaded: Loaded[Customer]) -> dict[str, Any]:
            if loaded.state is None:
                raise ValueError("a rule that answered has a file")
            opportunity = loaded.state.opportunities[opportunity_id]
            return as_opportunity(loaded.state.customer_id, opportunity_id, opportunity)

        # A new one is for the file that stands in for this one; an old one stays where it was opened.
        task = Task(STORED, customer_id, rule, {"opportunities": frozenset({opportunity_id})}, follow=new)
        return await carry_out(ledger, task, request, reply, status=201 if new else 200)

    @router.post(
        "",
        status_code=201,
        response_model=ShownOpportunity,
        summary="Open an opportunity",
        dependencies=[allowed("customer.write", rows=True)],
    )
    async def post_opportunity(
        customer_id: Code, body: OpenOpportunity, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        opportunity_id = uuid.uuid4().hex
        chance = Chance(**body.model_dump(exclude={"title"}))

        def step(state: Customer, scene: Scene, stages: Stages) -> Sequence[Said]:
            return open_one(state, opportunity_id, chance, {"title": body.title}, stages, scene.now)

        return await record(customer_id, opportunity_id, step, request, new=True)

    @router.post(
        "/{opportunity_id}/moves",
        response_model=ShownOpportunity,
        summary="Move an opportunity to another stage, amount or day",
        dependencies=[allowed("customer.write", rows=True)],
    )
    async def post_move(
        customer_id: Code, opportunity_id: Code, body: MoveOpportunity, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        changed = body.model_dump(exclude={"note"})

        def step(state: Customer, scene: Scene, stages: Stages) -> Sequence[Said]:
            return move(state, opportunity_id, changed, body.note, stages, scene.now)

        return await record(customer_id, opportunity_id, step, request, new=False)

    @router.post(
        "/{opportunity_id}/outcome",
        response_model=ShownOpportunity,
        summary="Say that an opportunity is won or lost, and why",
        dependencies=[allowed("customer.write", rows=True)],
    )
    async def post_outcome(
        customer_id: Code, opportunity_id: Code, body: CloseOpportunity, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        def step(state: Customer, scene: Scene, _stages: Stages) -> Sequence[Said]:
            return close(state, opportunity_id, body.outcome, body.reason, body.amount, body.note, scene.now)

        return await record(customer_id, opportunity_id, step, request, new=False)

    return router
