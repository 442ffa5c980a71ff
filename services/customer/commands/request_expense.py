"""Ask for the money of a reception, a visit or procurement, by HTTP; in an emergency act now, ratify later.

Expenses keep within the budget of the quarter (S3-06). Procurement takes three signatures within three working days
(S0-31); what a manager authorised at once has its complete record afterwards, or is a violation (S0-32).
"""

import uuid
from collections.abc import Sequence
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field, model_validator

from services.customer.commands.acting import acting
from services.customer.desk import Desk
from services.customer.drawing import drawing
from services.customer.model.budgets import budget_of
from services.customer.model.requesting import Wanted, ask
from services.customer.model.spending import Spending
from services.customer.views.requests import CALLED, ShownRequest, as_request
from services.customer.views.visits import customer_of
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code
from shared.contracts.spending import Kind
from shared.plumbing.access import allowed
from shared.plumbing.bodies import Body
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger
from shared.policy.approvals.acting import Acting

KINDS: tuple[Kind, ...] = ("expense", "purchase")


class RequestExpense(Body):
    """How much, in minor currency units, and what for; about a customer, or a visit to one, where there is one."""

    amount: Annotated[int, Field(gt=0, le=10**12, examples=[80_000])]
    customer_id: Code | None = None
    visit_id: Code | None = None
    note: Annotated[str, Field(max_length=2_000)] | None = Field(None, examples=["接待晚餐"])

    @model_validator(mode="after")
    def _of_one_thing(self) -> Self:
        if self.customer_id is not None and self.visit_id is not None:
            raise ValueError("name the visit or the customer, not both: a visit has its customer")
        return self


class Emergency(RequestExpense):
    """What somebody needs at once; whoever sends it authorises it, and answers for it until it is ratified."""

    requester: Code


def routes(ledger: Ledger, desk: Desk, kind: Kind) -> APIRouter:
    """POST /v1/expenses or /v1/procurements, and …/emergencies."""
    router = APIRouter(prefix=f"/v1/{CALLED[kind]}", tags=[CALLED[kind]])

    async def submit(
        body: RequestExpense, request: Asked, requester: str, authorised_by: Acting | None
    ) -> JSONResponse:
        customer_id = body.customer_id
        if body.visit_id is not None:
            customer_id = (await customer_of(ledger, body.visit_id))["customer_id"]
        customers = () if customer_id is None else (customer_id,)
        told: dict[str, Any] = body.model_dump(include={"visit_id", "note"})
        wanted = Wanted(uuid.uuid4().hex, kind, body.amount, customers, **told)
        on = desk.today()

        def rule(_state: Spending | None, scene: Scene) -> Sequence[Said]:
            return ask(wanted, scene.others, requester, desk.policies, on, scene.now, authorised_by)

        task, also = drawing(desk, kind, wanted.request_id, budget_of(kind, on), rule, on, customers)
        return await carry_out(ledger, task, request, as_request, also=also)

    @router.post(
        "",
        status_code=201,
        response_model=ShownRequest,
        summary="Ask for money",
        dependencies=[allowed(f"{kind}.request")],
    )
    async def request_expense(
        body: RequestExpense, request: Annotated[Asked, Depends(asked)], who: Annotated[Acting, Depends(acting(desk))]
    ) -> JSONResponse:
        return await submit(body, request, who.person, None)

    @router.post(
        "/emergencies",
        status_code=201,
        response_model=ShownRequest,
        summary="Authorise at once what is ratified later",
        dependencies=[allowed(f"{kind}.approve")],
    )
    async def authorise(
        body: Emergency, request: Annotated[Asked, Depends(asked)], who: Annotated[Acting, Depends(acting(desk))]
    ) -> JSONResponse:
        return await submit(body, request, body.requester, who)

    return router
