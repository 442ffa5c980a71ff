"""Ask for gifts, one or a drive of many, and hand them over, by HTTP (S0-40, S3-22)."""

import uuid
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field

from services.customer.commands.acting import acting
from services.customer.desk import Desk
from services.customer.drawing import drawing, stored
from services.customer.model.budgets import budget_of
from services.customer.model.requesting import Wanted, ask, hand_over
from services.customer.model.spending import Spending
from services.customer.views.requests import ShownRequest, as_request
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.bodies import Body
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger
from shared.policy.approvals.acting import Acting

Amount = Annotated[int, Field(gt=0, le=10**12, description="In minor currency units (分).", examples=[20_000])]
Note = Annotated[str, Field(max_length=2_000)]
MOST_RECIPIENTS = 200
"""Of one drive: their files are read in one transaction."""


class RequestGift(Body):
    """A gift for each of these customers, several of them being a drive that is decided as one; `amount` is for each.

    `occasion` is one of the policy's (care.occasions); the note stays here, sealed.
    """

    customer_ids: Annotated[list[Code], Field(min_length=1, max_length=MOST_RECIPIENTS)]
    amount: Amount
    occasion: Code | None = Field(None, examples=["mid_autumn"])
    note: Note | None = Field(None, examples=["中秋礼盒"])


class GiftHandOver(Body):
    """Who has the gift now."""

    customer_id: Code


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """POST /v1/gifts and POST /v1/gifts/{request_id}/handovers."""
    router = APIRouter(prefix="/v1/gifts", tags=["gifts"])

    @router.post(
        "",
        status_code=201,
        response_model=ShownRequest,
        summary="Ask for a gift, or for a drive of gifts",
        dependencies=[allowed("gift.request", rows=True)],
    )
    async def request_gift(
        body: RequestGift, request: Annotated[Asked, Depends(asked)], who: Annotated[Acting, Depends(acting(desk))]
    ) -> JSONResponse:
        customers = tuple(dict.fromkeys(body.customer_ids))
        amount = body.amount * len(customers)
        wanted = Wanted(uuid.uuid4().hex, "gift", amount, customers, body.occasion, note=body.note)
        on = desk.today()

        def rule(_state: Spending | None, scene: Scene) -> Sequence[Said]:
            return ask(wanted, scene.others, who.person, desk.policies, on, scene.now)

        task, also = drawing(desk, "gift", wanted.request_id, budget_of("gift", on), rule, on, customers)
        return await carry_out(ledger, task, request, as_request, also=also)

    @router.post(
        "/{request_id}/handovers",
        response_model=ShownRequest,
        summary="A customer has the gift",
        dependencies=[allowed("gift.request", rows=True)],
    )
    async def hand_gift_over(
        request_id: Code, body: GiftHandOver, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        await stored(ledger, "gift", request_id)

        def rule(state: Spending | None, scene: Scene) -> Sequence[Said]:
            return hand_over(state, body.customer_id, scene.now)

        task, _ = drawing(desk, "gift", request_id, None, rule, desk.today(), [body.customer_id])
        return await carry_out(ledger, task, request, as_request, status=200)

    return router
