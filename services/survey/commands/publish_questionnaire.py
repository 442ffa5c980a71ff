"""Publish a questionnaire, or its next version."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from services.survey.model.questionnaire import Questionnaire, publish
from services.survey.views.questionnaires import STORED, ShownQuestionnaire, as_questionnaire
from services.survey.views.responses import OWN_SOURCE
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code
from shared.contracts.questions import Question, Scale
from shared.contracts.survey import Scoring
from shared.plumbing.access import allowed
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.identity import Identity
from shared.plumbing.journal import Ledger, Task

MAX_QUESTIONS = 500


class NewQuestion(Question):
    """A question as it comes in: unknown fields are refused, so that a misspelt one is not lost silently."""

    model_config = ConfigDict(extra="forbid", strict=True)
    scale: Annotated[Scale, Field(strict=False)] | None = None
    choices: Annotated[list[Code], Field(max_length=200)] = []


class PublishQuestionnaire(BaseModel):
    """What is asked and how it is scored. Publishing under the same code again makes the next version."""

    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, strict=True
    )
    code: Code = Field(examples=["after-sales-2026"])
    scoring: Scoring = "ratio_to_max"
    questions: Annotated[list[NewQuestion], Field(min_length=1, max_length=MAX_QUESTIONS)] = Field(
        examples=[
            [
                {
                    "question": "product",
                    "kind": "csat",
                    "scale": [1, 5],
                    "factor": "product",
                    "weight": 6,
                    "required": True,
                    "text": {"zh": "您对产品满意吗？", "en": "How satisfied are you with the product?"},
                },
                {"question": "why", "kind": "comment", "text": {"zh": "为什么？", "en": "Why?"}},
            ]
        ]
    )


def questionnaire_id_of(identity: Identity, code: str) -> str:
    """The id of the questionnaire that has this code."""
    return identity.of("questionnaire", OWN_SOURCE, code)


def routes(ledger: Ledger, identity: Identity) -> APIRouter:
    """POST /v1/questionnaires."""
    router = APIRouter(prefix="/v1/questionnaires", tags=["questionnaires"])

    @router.post(
        "",
        status_code=201,
        response_model=ShownQuestionnaire,
        summary="Publish a questionnaire",
        dependencies=[allowed("questionnaire.write")],
    )
    async def publish_questionnaire(
        body: PublishQuestionnaire, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        identifier = questionnaire_id_of(identity, body.code)
        questions = [Question.model_validate(question.model_dump()) for question in body.questions]

        def decide(state: Questionnaire | None, scene: Scene) -> Sequence[Said]:
            return publish(state, identifier, body.code, body.scoring, questions, scene.now)

        return await carry_out(ledger, Task(STORED, identifier, decide), request, as_questionnaire)

    return router
