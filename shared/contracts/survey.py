"""What the survey service says. Subjects: questionnaire, campaign, response (DOMAIN E3)."""

from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from shared.contracts.envelope import Code, Dims, Event, Moment
from shared.contracts.questions import Metric, Question

Scoring = Literal["ratio_to_max", "linear"]
"""How an answer becomes points of the index (METRICS D3): its share of the highest value (得分率), or of the way up."""


class QuestionnairePublished(Event):
    """A version of a questionnaire is fixed: its questions, scales, factors and weights (S4-16)."""

    TYPE: ClassVar[str] = "manyi.survey.questionnaire.published.v1"
    SUBJECT: ClassVar[str] = "questionnaire"
    questionnaire_id: Code
    code: Code
    version: Annotated[int, Field(ge=1)]
    scoring: Scoring
    questions: list[Question]


class CampaignStarted(Event):
    """A campaign takes answers from now on."""

    TYPE: ClassVar[str] = "manyi.survey.campaign.started.v1"
    SUBJECT: ClassVar[str] = "campaign"
    campaign_id: Code
    code: Code
    questionnaire_id: Code
    questionnaire_version: int
    scoring: Scoring = "ratio_to_max"
    questions: list[Question] = []
    product_lines: list[Code] = []
    closes_at: Moment | None = None
    anonymous: bool = False


class CampaignClosed(Event):
    """Collection ended; later answers count as late."""

    TYPE: ClassVar[str] = "manyi.survey.campaign.closed.v1"
    SUBJECT: ClassVar[str] = "campaign"
    campaign_id: Code
    at: Moment


class Answer(Event):
    """One scored answer: `value` on `scale` (both ends included). A comment never travels."""

    TYPE: ClassVar[str] = ""
    SUBJECT: ClassVar[str] = ""
    question: Code
    factor: Code | None = None
    metric: Metric
    value: int
    scale: tuple[int, int]


@lru_cache(maxsize=20_000)
def answer_of(question: Any, factor: Any, metric: Any, value: Any, low: Any, high: Any) -> Answer:
    """The answer that says this. Most repeat one of a few hundred, and are checked once. Raises ValidationError."""
    return Answer(question=question, factor=factor, metric=metric, value=value, scale=(low, high))


def _all_known(told: object) -> object:
    """Answers that were read before, or what is told: most repeat one of a few hundred, and are checked once."""
    if not isinstance(told, list):
        return told
    known: list[object] = []
    for answer in told:
        try:
            low, high = answer["scale"]
            known.append(
                answer_of(answer["question"], answer.get("factor"), answer["metric"], answer["value"], low, high)
            )
        except (LookupError, TypeError, ValueError, AttributeError):  # the contract itself says what is wrong with it
            known.append(answer)
    return known


class SurveyResponded(Event):
    """A valid response was submitted. `index` is the weighted satisfaction index in 1/10,000 of a point (D3)."""

    TYPE: ClassVar[str] = "manyi.survey.responded.v1"
    SUBJECT: ClassVar[str] = "response"
    response_id: Code
    campaign_id: Code | None = None
    questionnaire_version: int | None = None
    customer_id: Code | None = None
    contact_id: Code | None = None
    product_line: Code | None = None
    mode: Code = "web"
    answers: Annotated[list[Answer], BeforeValidator(_all_known)]
    scoring: Scoring = "ratio_to_max"
    index: int | None = None
    nps: int | None = None
    csat: int | None = None
    ces: int | None = None
    late: bool = False
    anonymous: bool = False
    has_comment: bool = False
    topics: list[Code] = []
    dims: Dims = {}


SAYS: tuple[type[Event], ...] = (QuestionnairePublished, CampaignStarted, CampaignClosed, SurveyResponded)
