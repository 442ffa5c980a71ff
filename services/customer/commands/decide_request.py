"""Decide on requests for money, let others decide, send again, withdraw, settle; by HTTP, alike for all three kinds."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field

from services.customer.commands.acting import acting
from services.customer.desk import Desk
from services.customer.drawing import Rule, drawing, stored
from services.customer.model.approving import Verdict
from services.customer.model.budgets import budget_of
from services.customer.model.requesting import ask_again, decide, existing, let_decide, settle, withdraw
from services.customer.model.spending import Spending
from services.customer.views.requests import CALLED, ShownRequest, as_request
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code, Moment
from shared.contracts.spending import Kind
from shared.plumbing.access import allowed
from shared.plumbing.bodies import Body
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger
from shared.policy.approvals.acting import Acting

Reason = Annotated[str, Field(max_length=2_000)]


class Decision(Body):
    """Yes or no to the step that was looked at, or back for a correction; all but a yes need their reason."""

    decision: Verdict
    step: Annotated[int, Field(ge=0)]
    cycle: Annotated[int, Field(ge=1)] = 1
    reason: Reason | None = Field(None, examples=["金额与合同不符，请更正"])


class HandOver(Body):
    """To whom, until when, and why; that person decides the step that was looked at in the place of the sender."""

    to: Code
    until: Moment
    step: Annotated[int, Field(ge=0)]
    cycle: Annotated[int, Field(ge=1)] = 1
    reason: Annotated[str, Field(min_length=1, max_length=2_000)] = Field(examples=["出差"])


class Correction(Body):
    """What is asked for now: `amount` for each customer of a gift; what is left out stays as it was."""

    amount: Annotated[int, Field(gt=0, le=10**12)] | None = Field(None, examples=[28_000])
    note: Reason | None = None


class Withdrawal(Body):
    """Why, if there is something to say."""

    reason: Reason | None = Field(None, examples=["客户改期"])


class Settlement(Body):
    """What was spent in the end, in minor currency units; at most what was approved."""

    spent: Annotated[int, Field(ge=0, le=10**12)] = Field(examples=[26_500])


def routes(ledger: Ledger, desk: Desk, kind: Kind) -> APIRouter:
    """POST …/decisions, …/hand-over, …/resubmission, …/withdrawal and …/settlement below the requests of one kind."""
    router = APIRouter(prefix=f"/v1/{CALLED[kind]}/{{request_id}}", tags=[CALLED[kind]])

    async def move(request_id: str, rule: Rule, request: Asked) -> JSONResponse:
        known = await stored(ledger, kind, request_id)
        task, also = drawing(desk, kind, request_id, known.get("budget"), rule, desk.today())
        return await carry_out(ledger, task, request, as_request, status=200, also=also)

    @router.post(
        "/decisions",
        response_model=ShownRequest,
        summary="Approve, reject or return the waiting step",
        dependencies=[allowed(f"{kind}.approve")],
    )
    async def post_decision(
        request_id: Code,
        body: Decision,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        def rule(state: Spending | None, scene: Scene) -> Sequence[Said]:
            step = (body.step, body.cycle)
            return decide(state, who, body.decision, step, scene.now, body.reason)

        return await move(request_id, rule, request)

    @router.post(
        "/hand-over",
        response_model=ShownRequest,
        summary="Let somebody else decide the waiting step",
        dependencies=[allowed(f"{kind}.approve")],
    )
    async def post_hand_over(
        request_id: Code,
        body: HandOver,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        def rule(state: Spending | None, scene: Scene) -> Sequence[Said]:
            return let_decide(state, who, body.to, body.until, (body.step, body.cycle), scene.now, body.reason)

        return await move(request_id, rule, request)

    @router.post(
        "/resubmission",
        response_model=ShownRequest,
        summary="Send a returned request again, corrected",
        dependencies=[allowed(f"{kind}.request", rows=True)],
    )
    async def post_resubmission(
        request_id: Code,
        body: Correction,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        known, on = await stored(ledger, kind, request_id), desk.today()

        def rule(state: Spending | None, scene: Scene) -> Sequence[Said]:
            before = existing(state)
            amount = before.amount if body.amount is None else body.amount * max(len(known["customers"]), 1)
            return ask_again(before, amount, body.note, who, desk.policies, on, scene.now)

        task, also = drawing(desk, kind, request_id, budget_of(kind, on), rule, on)
        return await carry_out(ledger, task, request, as_request, status=200, also=also)

    @router.post(
        "/withdrawal",
        response_model=ShownRequest,
        summary="Take a request back before it is decided",
        dependencies=[allowed(f"{kind}.withdraw", rows=True)],
    )
    async def post_withdrawal(
        request_id: Code,
        body: Withdrawal,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        def rule(state: Spending | None, scene: Scene) -> Sequence[Said]:
            return withdraw(state, who, scene.now, body.reason)

        return await move(request_id, rule, request)

    @router.post(
        "/settlement",
        response_model=ShownRequest,
        summary="Record what was spent; the rest is back in the budget",
        dependencies=[allowed(f"{kind}.pay")],
    )
    async def post_settlement(
        request_id: Code, body: Settlement, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        def rule(state: Spending | None, scene: Scene) -> Sequence[Said]:
            return settle(state, body.spent, scene.now)

        return await move(request_id, rule, request)

    return router
