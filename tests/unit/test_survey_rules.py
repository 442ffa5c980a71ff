"""Rules of questionnaires, campaigns and responses; every refusal names the question and what to do."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.survey.model import campaign as campaigns
from services.survey.model import questionnaire as questionnaires
from services.survey.model import response as responses
from services.survey.model.answers import (
    AnsweredTwice,
    AnswerMissing,
    AnswerOfWrongKind,
    AnswerOutsideScale,
    ChoiceNotOffered,
    NothingAnswered,
    QuestionUnknown,
    ScaleUnclear,
    judge,
    questions_of,
)
from services.survey.model.campaign import Campaign
from services.survey.model.questionnaire import Questionnaire
from services.survey.model.response import Submission
from services.survey.views.responses import STORED
from shared.contracts.decision import Invalid, TooEarly
from shared.contracts.intake import IntakeAnswer
from shared.contracts.questions import Question
from shared.contracts.survey import Scoring, SurveyResponded

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUESTIONS = [
    Question(question="product", kind="csat", scale=(1, 5), factor="product", weight=6, required=True),
    Question(question="service", kind="csat", scale=(1, 5), factor="service", weight=4),
    Question(question="recommend", kind="nps", scale=(0, 10), weight=0),
    Question(question="channel", kind="choice", choices=["web", "shop"]),
    Question(question="why", kind="comment"),
]


def answers(*given: dict[str, Any]) -> list[IntakeAnswer]:
    return [IntakeAnswer.model_validate(one) for one in given]


def published(
    state: Questionnaire | None = None, scoring: Scoring = "ratio_to_max", questions: list[Question] = QUESTIONS
) -> Questionnaire:
    for said in questionnaires.publish(state, "q", "care", scoring, questions, NOON):
        state = questionnaires.evolve(state, said.event, said.private)
    assert state is not None
    return state


def started(closes_at: datetime | None = None, anonymous: bool = False, lines: tuple[str, ...] = ()) -> Campaign:
    said = campaigns.start(None, published(), "c", "spring", (lines, closes_at, anonymous), NOON)
    return campaigns.evolve(None, said[0].event, said[0].private)


def form(*given: dict[str, Any], **changes: Any) -> Submission:
    fields: dict[str, Any] = {
        "response_id": "r",
        "campaign_id": "c",
        "customer_id": "k",
        "answers": answers(*(given or ({"question": "product", "value": 4},))),
        "scoring": "ratio_to_max",
        "product_line": None,
        "mode": "web",
        "anonymous": False,
        "topics": [],
        "dims": {},
        "source": "shop",
        "time": NOON + timedelta(hours=1),
    }
    return Submission(**{**fields, **changes})


def said_by(campaign: Campaign | None, submission: Submission) -> SurveyResponded:
    said = responses.submit(None, campaign, submission)
    assert len(said) == 1
    assert isinstance(said[0].event, SurveyResponded)
    return said[0].event


def test_publishing_again_makes_the_next_version_and_keeps_the_first() -> None:
    first = published()
    second = published(first, "linear", QUESTIONS[:1])
    assert (first.version, second.version) == (1, 2)
    kept = second.versions[questionnaires.version_id("q", 1)]
    assert (kept.version, kept.scoring, kept.questions) == (1, "ratio_to_max", QUESTIONS)


@pytest.mark.parametrize(
    ("questions", "refusal"),
    [
        ([QUESTIONS[0], QUESTIONS[0]], questionnaires.QuestionAskedTwice),
        ([Question(question="a", kind="choice", choices=["x", "x"])], questionnaires.ChoiceOfferedTwice),
        ([Question(question="a", kind="rating", scale=(-2, 2))], questionnaires.ScaleWithoutRatio),
    ],
)
def test_an_impossible_questionnaire_is_not_published(questions: list[Question], refusal: type[Invalid]) -> None:
    with pytest.raises(refusal, match=questions[0].question):
        published(questions=questions)


@pytest.mark.parametrize(
    ("given", "refusal", "sentence"),
    [
        (
            [{"question": "colour", "value": 4}],
            QuestionUnknown,
            "'colour' is not asked here; the questions are product",
        ),
        ([{"question": "service", "value": 4}], AnswerMissing, "'product' must be answered; send its value"),
        ([{"question": "product"}], AnswerMissing, "'product' must be answered"),
        ([{"question": "product", "value": 9}], AnswerOutsideScale, "'product': 9 is outside .* from 1 to 5"),
        ([{"question": "product", "value": 0}], AnswerOutsideScale, "from 1 to 5"),
        ([{"question": "product", "value": 4}] * 2, AnsweredTwice, "'product' is answered twice"),
        ([{"question": "product", "comment": "good"}], AnswerOfWrongKind, "takes a value, not a comment"),
        ([{"question": "product", "value": 4, "comment": "good"}], AnswerOfWrongKind, "'product' .* not a comment"),
        ([{"question": "why", "value": 4}], AnswerOfWrongKind, "'why' .* takes a comment, not a value"),
        ([{"question": "channel", "choice": "fax"}], ChoiceNotOffered, "'channel' .* one of web, shop"),
        ([{"question": "channel", "value": 1}], AnswerOfWrongKind, "'channel' .* takes a choice"),
        ([{"question": "product", "value": 4, "scale": [1, 7]}], ScaleUnclear, r"'product' .* \[1, 5\]"),
        ([{"question": "product", "value": 4, "metric": "nps"}], ScaleUnclear, "a csat question"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_with_what_to_do(
    given: list[dict[str, Any]], refusal: type[Invalid], sentence: str
) -> None:
    with pytest.raises(refusal, match=sentence):
        responses.submit(None, started(), form(*given))


def test_a_refusal_never_repeats_what_was_written() -> None:
    with pytest.raises(ChoiceNotOffered) as refused:
        judge(answers({"question": "channel", "choice": "canary"}), QUESTIONS[3:])
    assert "canary" not in str(refused.value)
    with pytest.raises(AnswerOfWrongKind) as refused_too:
        judge(answers({"question": "product", "comment": "canary"}), QUESTIONS)
    assert "canary" not in str(refused_too.value)


def test_a_skipped_question_counts_nowhere() -> None:
    event = said_by(
        started(),
        form({"question": "product", "value": 4}, {"question": "service"}, {"question": "why", "comment": " "}),
    )
    assert [one.question for one in event.answers] == ["product"]
    assert (event.index, event.has_comment) == (800_000, False)


def test_a_response_that_says_nothing_is_refused() -> None:
    with pytest.raises(NothingAnswered):
        judge(answers({"question": "why"}), QUESTIONS[4:])


def test_what_is_said_is_scored_and_what_was_written_stays_private() -> None:
    submission = form(
        {"question": "why", "comment": "快"},
        {"question": "channel", "choice": "web"},
        {"question": "recommend", "value": 9},
        {"question": "service", "value": 3},
        {"question": "product", "value": 4},
        dims={"region": "华东", "source": "forged"},
        mode="phone",
    )
    said = responses.submit(None, started(lines=("pumps",)), submission)[0]
    event = said.event
    assert isinstance(event, SurveyResponded)
    assert (event.index, event.csat, event.nps, event.ces) == (720_000, 4, 9, None)
    assert [one.question for one in event.answers] == ["product", "service", "recommend"]
    assert (event.questionnaire_version, event.customer_id, event.has_comment) == (1, "k", True)
    assert event.dims == {"region": "华东", "product_line": "pumps", "mode": "phone", "source": "shop"}
    assert said.private["comments"] == {"why": "快"}
    assert said.private["choices"] == {"channel": "web"}
    state = STORED.folded(None, event, said.private, said.time)
    assert (state.comments, state.answered_at) == ({"why": "快"}, submission.time)


def test_when_it_was_answered_is_no_secret_and_where_it_once_was_it_is_read_alike() -> None:
    said = responses.submit(None, started(), form({"question": "product", "value": 4}))[0]
    assert said.private == {}
    kept_before = {"answered_at": said.time.isoformat()}
    assert STORED.folded(None, said.event, kept_before, said.time) == STORED.folded(None, said.event, {}, said.time)


def test_an_anonymous_campaign_hears_no_customer() -> None:
    event = said_by(started(anonymous=True), form())
    assert event.customer_id is None
    assert event.anonymous


def test_a_response_may_ask_to_be_anonymous() -> None:
    assert said_by(started(), form(anonymous=True)).customer_id is None


@pytest.mark.parametrize(("minutes", "late"), [(-1, False), (0, True), (1, True)])
def test_an_answer_after_the_announced_end_is_taken_and_marked_late(minutes: int, late: bool) -> None:
    end = NOON + timedelta(days=7)
    assert said_by(started(closes_at=end), form(time=end + timedelta(minutes=minutes))).late is late


def test_an_answer_given_before_the_close_is_in_time_whenever_it_arrives() -> None:
    campaign = started()
    said = campaigns.close(campaign, NOON + timedelta(days=2))[0]
    closed = campaigns.evolve(campaign, said.event, said.private)
    assert not said_by(closed, form(time=NOON + timedelta(days=1))).late
    assert said_by(closed, form(time=NOON + timedelta(days=3))).late


def test_an_answer_to_a_campaign_not_started_waits_for_it() -> None:
    with pytest.raises(TooEarly) as early:
        responses.submit(None, None, form())
    assert early.value.waits == ("campaigns", "c")


def test_a_response_is_taken_once() -> None:
    said = responses.submit(None, started(), form())[0]
    state = STORED.folded(None, said.event, said.private, said.time)
    with pytest.raises(responses.ResponseAlreadySubmitted):
        responses.submit(state, started(), form())


def test_without_a_campaign_each_answer_says_its_scale() -> None:
    event = said_by(
        None,
        form(
            {"question": "score", "metric": "csat", "scale": [1, 5], "value": 4, "weight": 5},
            {"question": "again", "metric": "csat", "scale": [1, 5], "value": 5, "weight": 2},
            {"question": "title", "comment": "bom"},
            {"question": "where", "choice": "own words"},
            campaign_id=None,
        ),
    )
    assert (event.index, event.csat, event.campaign_id, event.late) == (857_143, 4, None, False)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"question": "score", "value": 4}, "'score': without a campaign an answer must say its metric"),
        ({"question": "score", "value": 4, "metric": "csat"}, "its scale"),
        ({"question": "score", "value": 4, "metric": "nps", "scale": [1, 5]}, r"'score': an NPS question .* \[0, 10\]"),
        ({"question": "score", "value": 4, "metric": "csat", "scale": [5, 1]}, "'score': a scale runs from a lower"),
    ],
)
def test_a_scale_that_is_missing_or_impossible_is_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ScaleUnclear, match=sentence):
        questions_of(answers(given), "ratio_to_max")


def test_a_campaign_starts_once_on_a_known_questionnaire_and_ends_after_its_start() -> None:
    terms: tuple[tuple[str, ...], None, bool] = ((), None, False)
    with pytest.raises(campaigns.QuestionnaireUnknown):
        campaigns.start(None, None, "c", "spring", terms, NOON)
    with pytest.raises(campaigns.CampaignAlreadyStarted):
        campaigns.start(started(), published(), "c", "spring", terms, NOON)
    with pytest.raises(campaigns.CampaignClosesBeforeStart):
        campaigns.start(None, published(), "c", "spring", ((), NOON, False), NOON)


def test_a_campaign_closes_once() -> None:
    with pytest.raises(campaigns.CampaignUnknown):
        campaigns.close(None, NOON)
    closed = campaigns.evolve(started(), campaigns.close(started(), NOON)[0].event, {})
    with pytest.raises(campaigns.CampaignAlreadyClosed):
        campaigns.close(closed, NOON)
