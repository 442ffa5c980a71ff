"""Responses without their comments; and, apart and logged, the comment of one response."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from services.survey.model.response import Response, evolve
from services.survey.views.shown import MAX_PAGE, Shown
from shared.contracts.decision import NotFound
from shared.contracts.envelope import Code, Moment
from shared.contracts.survey import Answer, Scoring
from shared.plumbing.access import Permit, allowed
from shared.plumbing.identity import Identity
from shared.plumbing.journal import Aggregate, Ledger, Loaded
from shared.policy.permission.decision import Facts

STORED = Aggregate(
    "responses", Response, evolve, lambda state: state.customer_id or state.response_id, moment="answered_at"
)
OWN_SOURCE = "manyi"


class ResponseUnknown(NotFound):
    SLUG = "response-unknown"


class ShownResponse(Shown):
    """A response as it was scored; `index` in 1/10,000 points. What was written is told by `/comment` alone.

    `choices` (question → choice) are those offered by the campaign; others are the writer's own words.
    """

    response_id: str
    campaign_id: str | None = None
    questionnaire_version: int | None = None
    customer_id: str | None = None
    product_line: str | None = None
    mode: str
    answers: list[Answer]
    choices: dict[str, str] = {}
    scoring: Scoring
    index: int | None = None
    nps: int | None = None
    csat: int | None = None
    ces: int | None = None
    late: bool
    anonymous: bool
    has_comment: bool
    topics: list[str]
    dims: dict[str, str]
    answered_at: Moment


class WrittenComment(Shown):
    """What somebody wrote, by question code; `choices` in his own words are there where no campaign offered them."""

    response_id: str
    comments: dict[str, str]
    choices: dict[str, str] = {}


class ResponsePage(Shown):
    """Responses in the order of their ids; `next` is the `after` of the following page."""

    responses: list[ShownResponse]
    next: str | None = None


def as_response(loaded: Loaded[Response]) -> dict[str, Any]:
    """A response as JSON, without its comments."""
    if loaded.state is None:
        raise ValueError("a response that does not exist cannot be shown")
    return _shown(loaded.state).as_json()


def _shown(state: Response) -> ShownResponse:
    hidden = {"comments"} if state.campaign_id is not None else {"comments", "choices"}
    return ShownResponse.model_validate(state.model_dump(exclude=hidden))


def campaign_id_of(identity: Identity, code: str) -> str:
    """The id of the campaign that has this code."""
    return identity.of("campaign", OWN_SOURCE, code)


def routes(ledger: Ledger, identity: Identity) -> APIRouter:
    """The read routes below /v1/responses."""
    router = APIRouter(prefix="/v1/responses", tags=["responses"])
    responses = ledger.database["responses"]

    async def find(response_id: str) -> Response:
        document = await responses.find_one({"_id": response_id})
        state = (await ledger.read_head(STORED, document)).state if document is not None else None
        if state is None:
            raise ResponseUnknown(f"there is no response {response_id}; list them with GET /v1/responses")
        return state

    @router.get(
        "",
        summary="List responses, of one campaign or of all",
        response_model_exclude_none=True,
        dependencies=[allowed("response.read")],
    )
    async def list_responses(
        campaign: Annotated[Code | None, Query(description="The campaign's code.")] = None,
        after: Annotated[str | None, Query(max_length=64)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    ) -> ResponsePage:
        query: dict[str, Any] = {} if campaign is None else {"campaign_id": campaign_id_of(identity, campaign)}
        if after is not None:
            query["_id"] = {"$gt": after}
        documents = await responses.find(query).sort("_id", 1).limit(limit + 1).to_list()
        states = [one.state for one in await ledger.read_heads(STORED, documents[:limit])]
        shown = [_shown(state) for state in states if state is not None]
        more = len(documents) > limit
        return ResponsePage(responses=shown, next=shown[-1].response_id if more else None)

    @router.get(
        "/{response_id}",
        summary="Read one response, without comments",
        response_model_exclude_none=True,
        dependencies=[allowed("response.read")],
    )
    async def read_response(response_id: Code) -> ShownResponse:
        return _shown(await find(response_id))

    @router.get("/{response_id}/comment", summary="Read what was written; every reading is logged")
    async def read_comment(
        response_id: Code, permit: Annotated[Permit, allowed("response.read_comment", rows=True)]
    ) -> WrittenComment:
        state = await find(response_id)
        permit.on(Facts(response_id))
        own_words = state.choices if state.campaign_id is None else {}
        return WrittenComment(response_id=response_id, comments=state.comments, choices=own_words)

    return router


async def prepare(ledger: Ledger) -> None:
    """Index of the list above; safe to repeat."""
    await ledger.database["responses"].create_index([("campaign_id", 1), ("_id", 1)])
