"""Campaigns with their questions and how many responses they have."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from services.survey.model.campaign import COLLECTION, Campaign, CampaignUnknown, evolve
from services.survey.views.shown import MAX_PAGE, Shown
from shared.contracts.envelope import Code, Moment
from shared.contracts.questions import Question
from shared.contracts.survey import Scoring
from shared.plumbing.access import allowed
from shared.plumbing.journal import Aggregate, Ledger, Loaded

STORED = Aggregate(COLLECTION, Campaign, evolve, lambda state: state.campaign_id)


class ResponseCounts(Shown):
    """Responses taken so far; the late ones are among `all`."""

    all: int = 0
    late: int = 0


class ShownCampaign(Shown):
    """A campaign; `closed` once it was closed or its announced end has passed. The list and GET count responses."""

    campaign_id: str
    code: str
    status: Literal["running", "closed"]
    questionnaire_id: str
    questionnaire_version: int
    scoring: Scoring
    questions: list[Question]
    product_lines: list[str]
    anonymous: bool
    started_at: Moment
    closes_at: Moment | None = None
    closed_at: Moment | None = None
    responses: ResponseCounts | None = None


class CampaignPage(Shown):
    """Campaigns in the order of their ids; `next` is the `after` of the following page."""

    campaigns: list[ShownCampaign]
    next: str | None = None


def as_campaign(ledger: Ledger, loaded: Loaded[Campaign]) -> dict[str, Any]:
    """A campaign as JSON, without counts."""
    if loaded.state is None:
        raise ValueError("a campaign that does not exist cannot be shown")
    return _shown(ledger, loaded.state).as_json()


def _shown(ledger: Ledger, state: Campaign, counts: ResponseCounts | None = None) -> ShownCampaign:
    status = "closed" if state.over_at(ledger.clock.now()) else "running"
    return ShownCampaign.model_validate({**state.model_dump(), "status": status, "responses": counts})


def routes(ledger: Ledger) -> APIRouter:
    """The read routes below /v1/campaigns."""
    router = APIRouter(prefix="/v1/campaigns", tags=["campaigns"])
    campaigns = ledger.database[COLLECTION]

    async def counted(states: Sequence[Campaign]) -> list[ShownCampaign]:
        pipeline: list[dict[str, Any]] = [
            {"$match": {"campaign_id": {"$in": [state.campaign_id for state in states]}}},
            {"$group": {"_id": "$campaign_id", "all": {"$sum": 1}, "late": {"$sum": {"$cond": ["$late", 1, 0]}}}},
        ]
        counts = {
            found["_id"]: ResponseCounts(all=found["all"], late=found["late"])
            async for found in await ledger.database["responses"].aggregate(pipeline)
        }
        return [_shown(ledger, state, counts.get(state.campaign_id, ResponseCounts())) for state in states]

    @router.get(
        "",
        summary="List campaigns with their counts of responses",
        response_model_exclude_none=True,
        dependencies=[allowed("campaign.read")],
    )
    async def list_campaigns(
        after: Annotated[str | None, Query(max_length=64)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
        code: Code | None = None,
    ) -> CampaignPage:
        query: dict[str, Any] = {} if code is None else {"code": code}
        if after is not None:
            query["_id"] = {"$gt": after}
        documents = await campaigns.find(query).sort("_id", 1).limit(limit + 1).to_list()
        states = [one.state for one in await ledger.read_heads(STORED, documents[:limit])]
        shown = await counted([state for state in states if state is not None])
        more = len(documents) > limit
        return CampaignPage(campaigns=shown, next=shown[-1].campaign_id if more else None)

    @router.get(
        "/{campaign_id}",
        summary="Read one campaign",
        response_model_exclude_none=True,
        dependencies=[allowed("campaign.read")],
    )
    async def read_campaign(campaign_id: Code) -> ShownCampaign:
        document = await campaigns.find_one({"_id": campaign_id})
        state = (await ledger.read_head(STORED, document)).state if document is not None else None
        if state is None:
            raise CampaignUnknown(f"there is no campaign {campaign_id}; list them with GET /v1/campaigns")
        return (await counted([state]))[0]

    return router


async def prepare(ledger: Ledger) -> None:
    """Indexes of the list and the counts above; safe to repeat."""
    await ledger.database[COLLECTION].create_index("code", unique=True)
    await ledger.database["responses"].create_index([("campaign_id", 1), ("late", 1)])
