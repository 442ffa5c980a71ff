"""Start a campaign on the newest version of a questionnaire."""

import functools
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from services.survey.commands.publish_questionnaire import questionnaire_id_of
from services.survey.model.campaign import Campaign, start
from services.survey.views.campaigns import STORED, ShownCampaign, as_campaign
from services.survey.views.questionnaires import STORED as QUESTIONNAIRES
from services.survey.views.responses import campaign_id_of
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code, Moment
from shared.plumbing.access import allowed
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.identity import Identity
from shared.plumbing.journal import Ledger, Task


class StartCampaign(BaseModel):
    """Which questionnaire, until when, about which product lines. Anonymous: no customer is stored or said."""

    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, strict=True
    )
    code: Code = Field(examples=["after-sales-2026-spring"])
    questionnaire: Code = Field(examples=["after-sales-2026"], description="The questionnaire's code.")
    closes_at: Moment | None = None
    product_lines: Annotated[list[Code], Field(max_length=200)] = []
    anonymous: bool = False


def routes(ledger: Ledger, identity: Identity) -> APIRouter:
    """POST /v1/campaigns."""
    router = APIRouter(prefix="/v1/campaigns", tags=["campaigns"])

    @router.post(
        "",
        status_code=201,
        response_model=ShownCampaign,
        summary="Start a campaign",
        dependencies=[allowed("campaign.write")],
    )
    async def start_campaign(body: StartCampaign, request: Annotated[Asked, Depends(asked)]) -> JSONResponse:
        identifier = campaign_id_of(identity, body.code)
        questionnaire_id = questionnaire_id_of(identity, body.questionnaire)
        terms = (body.product_lines, body.closes_at, body.anonymous)

        def decide(state: Campaign | None, scene: Scene) -> Sequence[Said]:
            return start(state, scene.others[questionnaire_id], identifier, body.code, terms, scene.now)

        task = Task(STORED, identifier, decide, others=((QUESTIONNAIRES, questionnaire_id),))
        return await carry_out(ledger, task, request, functools.partial(as_campaign, ledger))

    return router
