"""Close a campaign: answers that come later are taken and marked late."""

import functools
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from services.survey.model.campaign import Campaign, close
from services.survey.views.campaigns import STORED, ShownCampaign, as_campaign
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger, Task


def routes(ledger: Ledger) -> APIRouter:
    """POST /v1/campaigns/{campaign_id}/close."""
    router = APIRouter(prefix="/v1/campaigns", tags=["campaigns"])

    @router.post(
        "/{campaign_id}/close",
        response_model=ShownCampaign,
        summary="Close a campaign",
        dependencies=[allowed("campaign.write")],
    )
    async def close_campaign(campaign_id: Code, request: Annotated[Asked, Depends(asked)]) -> JSONResponse:
        def decide(state: Campaign | None, scene: Scene) -> Sequence[Said]:
            return close(state, scene.now)

        reply = functools.partial(as_campaign, ledger)
        return await carry_out(ledger, Task(STORED, campaign_id, decide), request, reply, status=200)

    return router
