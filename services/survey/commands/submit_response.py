"""Take a response, by HTTP or from `survey.answered`."""

import uuid
from collections.abc import Sequence
from typing import Annotated, Self

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from services.survey.model.campaign import CampaignUnknown
from services.survey.model.response import Response, Submission, submit
from services.survey.views.campaigns import STORED as CAMPAIGNS
from services.survey.views.responses import OWN_SOURCE, STORED, ShownResponse, as_response, campaign_id_of
from shared.contracts import intake
from shared.contracts.decision import Said, Scene, TooEarly
from shared.contracts.envelope import Code, Dims, Moment
from shared.contracts.survey import Scoring
from shared.plumbing.access import allowed
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.identity import Identity
from shared.plumbing.intake import Heard, Understood
from shared.plumbing.journal import Ledger, Task


class SubmitResponse(BaseModel):
    """A response. The customer is one of ours (`customerId`) or named by a source and its id; or nobody.

    Without `campaign` each scored answer says its metric and scale. `response` is your own id for it: the same one
    cannot be submitted twice.
    """

    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, strict=True
    )
    campaign: Code | None = Field(None, examples=["after-sales-2026-spring"], description="The campaign's code.")
    response: Code | None = None
    customer_id: Annotated[str, Field(pattern="^[0-9a-f]{32}$")] | None = None
    customer: intake.ExternalId | None = None
    answers: Annotated[list[intake.IntakeAnswer], Field(min_length=1, max_length=500)] = Field(
        examples=[[{"question": "product", "value": 4}, {"question": "why", "comment": "送货很快"}]]
    )
    scoring: Scoring = "ratio_to_max"
    answered_at: Moment | None = None
    product_line: Code | None = None
    mode: Code = Field("web", examples=["phone"])
    anonymous: bool = False
    topics: Annotated[list[Code], Field(max_length=100)] = []
    dims: Dims = {}

    @model_validator(mode="after")
    def _one_customer(self) -> Self:
        if self.customer_id is not None and self.customer is not None:
            raise ValueError("name the customer by customerId or by customer, not by both")
        return self

    @property
    def source(self) -> str:
        """Who says so: the source that names the customer, else this installation."""
        return self.customer.source if self.customer is not None else OWN_SOURCE


def task(form: Submission) -> Task[Response]:
    """The task on a response that needs its campaign beside it."""

    def decide(state: Response | None, scene: Scene) -> Sequence[Said]:
        campaign = scene.others[form.campaign_id] if form.campaign_id is not None else None
        return submit(state, campaign, form)

    others = () if form.campaign_id is None else ((CAMPAIGNS, form.campaign_id),)
    person = None if form.anonymous else form.customer_id
    return Task(STORED, form.response_id, decide, others=others, person=person)


def understood(identity: Identity) -> list[Understood]:
    """The intake types of this use case."""

    def answered(heard: Heard) -> Task[Response]:
        data: intake.SurveyAnswered = heard.data
        customer = data.customer
        owner = intake.ExternalId(source=heard.source, id=customer) if isinstance(customer, str) else customer
        form = Submission(
            response_id=identity.of("response", heard.source, data.response),
            campaign_id=None if data.campaign is None else campaign_id_of(identity, data.campaign),
            customer_id=None if owner is None else identity.customer(owner.source, owner.id),
            answers=data.answers,
            scoring=data.scoring,
            product_line=data.product_line,
            mode=data.mode,
            anonymous=data.anonymous,
            topics=data.topics,
            dims=data.dims,
            source=heard.source,
            time=heard.time,
            timezone=heard.timezone,
        )
        return task(form)

    return [Understood(intake.SurveyAnswered, answered)]


def routes(ledger: Ledger, identity: Identity) -> APIRouter:
    """POST /v1/responses."""
    router = APIRouter(prefix="/v1/responses", tags=["responses"])

    @router.post(
        "",
        status_code=201,
        response_model=ShownResponse,
        summary="Submit a response",
        dependencies=[allowed("response.submit")],
    )
    async def submit_response(body: SubmitResponse, request: Annotated[Asked, Depends(asked)]) -> JSONResponse:
        owner = body.customer
        form = Submission(
            response_id=identity.of("response", body.source, body.response or uuid.uuid4().hex),
            campaign_id=None if body.campaign is None else campaign_id_of(identity, body.campaign),
            customer_id=body.customer_id if owner is None else identity.customer(owner.source, owner.id),
            answers=body.answers,
            scoring=body.scoring,
            product_line=body.product_line,
            mode=body.mode,
            anonymous=body.anonymous,
            topics=body.topics,
            dims=body.dims,
            source=body.source,
            time=body.answered_at or ledger.clock.now(),
        )
        try:
            return await carry_out(ledger, task(form), request, as_response)
        except TooEarly as error:
            raise CampaignUnknown(
                f"there is no campaign {body.campaign!r}; start it with POST /v1/campaigns, or name another"
            ) from error

    return router
