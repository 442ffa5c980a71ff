"""Nominate somebody for a post, decide on it, correct it or take it back, by HTTP (S0-19)."""

import uuid
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field

from services.customer.commands.acting import acting
from services.customer.commands.decide_request import Decision, Reason, Withdrawal
from services.customer.desk import Desk
from services.customer.model.promotions import Wanted, ask_again, decide, nominate, withdraw
from services.customer.model.staff import Staff, existing
from services.customer.staffing import STORED
from services.customer.views.promotions import ShownPromotion, as_promotion
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.bodies import Body
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger, Loaded, Task
from shared.policy.approvals.acting import Acting


class Nomination(Body):
    """Which post, and which one is left for it; why stays here, sealed."""

    role: Code = Field(examples=["manager"])
    unit: Code = Field(examples=["customer_relations"])
    leaves: Code | None = None
    reason: Reason = Field(min_length=1, examples=["连续两个季度排名前20%"])


class PromotionDecision(Decision):
    """Yes or no to the step that was looked at, or back for a correction; all but a yes need their reason.

    Without a step the first one is meant.
    """

    step: Annotated[int, Field(ge=0)] = 0


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """POST /v1/staff/{staff_id}/promotions, and below one …/decisions, …/resubmission and …/withdrawal."""
    router = APIRouter(prefix="/v1/staff/{staff_id}/promotions", tags=["staff"])

    @router.post(
        "",
        status_code=201,
        response_model=ShownPromotion,
        summary="Nominate somebody for a post",
        dependencies=[allowed("promotion.nominate", rows=True)],
    )
    async def post_nomination(
        staff_id: Code,
        body: Nomination,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        promotion_id, post = uuid.uuid4().hex, Wanted(body.role, body.unit, body.leaves)

        def rule(state: Staff | None, scene: Scene) -> Sequence[Said]:
            day, now = desk.day(scene.now), scene.now
            return nominate(state, promotion_id, post, body.reason, who, desk.policies, day, now)

        return await carry_out(ledger, Task(STORED, staff_id, rule), request, _shown(promotion_id))

    @router.post(
        "/{promotion_id}/decisions",
        response_model=ShownPromotion,
        summary="Agree to a promotion, reject or return it",
        dependencies=[allowed("promotion.approve", rows=True)],
    )
    async def decide_promotion(
        staff_id: Code,
        promotion_id: Code,
        body: PromotionDecision,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        step = (body.step, body.cycle)

        def rule(state: Staff | None, scene: Scene) -> Sequence[Said]:
            day, now = desk.day(scene.now), scene.now
            return decide(state, promotion_id, who, body.decision, step, body.reason, desk.policies, day, now)

        return await carry_out(ledger, Task(STORED, staff_id, rule), request, _shown(promotion_id), status=200)

    @router.post(
        "/{promotion_id}/resubmission",
        response_model=ShownPromotion,
        summary="Send a returned nomination again, corrected",
        dependencies=[allowed("promotion.nominate", rows=True)],
    )
    async def correct_nomination(
        staff_id: Code,
        promotion_id: Code,
        body: Nomination,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        post = Wanted(body.role, body.unit, body.leaves)

        def rule(state: Staff | None, scene: Scene) -> Sequence[Said]:
            day, now = desk.day(scene.now), scene.now
            return ask_again(state, promotion_id, post, body.reason, who, desk.policies, day, now)

        return await carry_out(ledger, Task(STORED, staff_id, rule), request, _shown(promotion_id), status=200)

    @router.post(
        "/{promotion_id}/withdrawal",
        response_model=ShownPromotion,
        summary="Take a nomination back before it is decided",
        dependencies=[allowed("promotion.nominate", rows=True)],
    )
    async def withdraw_nomination(
        staff_id: Code,
        promotion_id: Code,
        body: Withdrawal,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        def rule(state: Staff | None, scene: Scene) -> Sequence[Said]:
            return withdraw(state, promotion_id, who, body.reason, scene.now)

        return await carry_out(ledger, Task(STORED, staff_id, rule), request, _shown(promotion_id), status=200)

    return router


def _shown(promotion_id: str) -> Callable[[Loaded[Staff]], dict[str, Any]]:
    def reply(loaded: Loaded[Staff]) -> dict[str, Any]:
        shown = as_promotion(existing(loaded.state), promotion_id)
        return shown.model_dump(mode="json", by_alias=True, exclude_none=True)

    return reply
