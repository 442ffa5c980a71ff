"""A response: what one customer answered, and the rule that takes it. Comments and choices stay here, sealed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar

from pydantic import Field, field_serializer

from services.survey.model.answers import judge, questions_of
from services.survey.model.campaign import COLLECTION as CAMPAIGNS
from services.survey.model.campaign import Campaign
from services.survey.model.scoring import index
from shared.contracts import survey as said
from shared.contracts.decision import Refusal, Said, TooEarly
from shared.contracts.envelope import Event
from shared.contracts.intake import IntakeAnswer
from shared.contracts.questions import Metric, Question
from shared.contracts.state import State
from shared.contracts.survey import Answer, Scoring


class ResponseAlreadySubmitted(Refusal):
    SLUG = "response-already-submitted"


class Response(State):
    """One submitted response; `index` in 1/10,000 points (METRICS D3). `comments` and `choices` go by question code."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"comments", "choices"})

    response_id: str
    campaign_id: str | None = None
    questionnaire_version: int | None = None
    customer_id: str | None = None
    product_line: str | None = None
    mode: str
    answers: list[Answer]
    scoring: Scoring
    index: int | None = None
    nps: int | None = None
    csat: int | None = None
    ces: int | None = None
    late: bool = False
    anonymous: bool = False
    has_comment: bool = False
    topics: list[str] = []
    dims: dict[str, str] = {}
    answered_at: datetime
    comments: dict[str, str] = Field(default_factory=dict)
    choices: dict[str, str] = Field(default_factory=dict)

    @field_serializer("answers")
    def _as_stored(self, answers: list[Answer]) -> list[dict[str, Any]]:
        return [_stored(answer) for answer in answers]


@lru_cache(maxsize=20_000)
def _stored(answer: Answer) -> dict[str, Any]:
    """Nobody writes into it. Most answers repeat one of a few hundred; to take each apart took most of storing one."""
    return answer.model_dump()


def evolve(state: Response | None, event: Event, private: Mapping[str, Any]) -> Response:
    """Fold one event, public and private part, into the state; `answered_at` comes with them."""
    if state is not None or not isinstance(event, said.SurveyResponded):
        raise ValueError(f"{event.TYPE} does not fit a response that is {'new' if state is None else 'submitted'}")
    return Response.model_validate({**vars(event), **private})


@dataclass(frozen=True)
class Submission:
    """What somebody hands in: whose answers, to which campaign (or none), said by which source, when and where."""

    response_id: str
    campaign_id: str | None
    customer_id: str | None
    answers: list[IntakeAnswer]
    scoring: Scoring
    product_line: str | None
    mode: str
    anonymous: bool
    topics: list[str]
    dims: dict[str, str]
    source: str
    time: datetime
    timezone: str | None = None


def submit(state: Response | None, campaign: Campaign | None, form: Submission) -> list[Said]:
    """Take a response, judged against its campaign, or by the scales it says itself where it has none.

    Raises ResponseAlreadySubmitted, TooEarly while the campaign has not started, and what `judge` and `questions_of`
    raise.
    """
    if state is not None:
        raise ResponseAlreadySubmitted(
            "this response was submitted before, and each is taken once; there is nothing more to do"
        )
    if form.campaign_id is None:
        questions, scoring = questions_of(form.answers, form.scoring), form.scoring
    elif campaign is None:
        raise TooEarly("the campaign has not been started yet", waits=(CAMPAIGNS, form.campaign_id))
    else:
        questions, scoring = campaign.questions, campaign.scoring
    judged = judge(form.answers, questions)
    answers = [_answer(question, judged.values) for question in questions if question.question in judged.values]
    anonymous = form.anonymous or (campaign is not None and campaign.anonymous)
    product_line = form.product_line or _only_line(campaign)
    event = said.SurveyResponded(
        response_id=form.response_id,
        campaign_id=form.campaign_id,
        questionnaire_version=campaign.questionnaire_version if campaign is not None else None,
        customer_id=None if anonymous else form.customer_id,
        product_line=product_line,
        mode=form.mode,
        answers=answers,
        scoring=scoring,
        index=index(_weighed(questions, judged.values), scoring),
        nps=_headline("nps", questions, judged.values),
        csat=_headline("csat", questions, judged.values),
        ces=_headline("ces", questions, judged.values),
        late=campaign is not None and campaign.over_at(form.time),
        anonymous=anonymous,
        has_comment=bool(judged.comments),
        topics=form.topics,
        dims=_dims(form, product_line),
    )
    texts = {name: text for name, text in (("comments", judged.comments), ("choices", judged.choices)) if text}
    return [Said(event, form.time, texts, form.timezone)]


def _answer(question: Question, values: Mapping[str, int]) -> Answer:
    low, high = question.scale or (0, 0)
    return said.answer_of(question.question, question.factor, question.kind, values[question.question], low, high)


def _weighed(questions: list[Question], values: Mapping[str, int]) -> list[tuple[int, tuple[int, int], int]]:
    return [
        (values[question.question], question.scale, question.weight)
        for question in questions
        if question.question in values and question.scale is not None
    ]


def _headline(metric: Metric, questions: list[Question], values: Mapping[str, int]) -> int | None:
    """The value of the first question of this kind; later ones count as answers only."""
    first = next((question.question for question in questions if question.kind == metric), None)
    return None if first is None else values.get(first)


def _only_line(campaign: Campaign | None) -> str | None:
    """A campaign about one product line says which one a response is about."""
    return campaign.product_lines[0] if campaign is not None and len(campaign.product_lines) == 1 else None


def _dims(form: Submission, product_line: str | None) -> dict[str, str]:
    line = {} if product_line is None else {"product_line": product_line}
    return {**form.dims, **line, "mode": form.mode, "source": form.source}
