"""Judging answers: each must belong to a question and fit it. Every refusal names the question and what to do."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from pydantic import ValidationError

from services.survey.model.questionnaire import require_ratio
from shared.contracts.decision import Invalid
from shared.contracts.intake import IntakeAnswer
from shared.contracts.questions import Metric, Question, Scale
from shared.contracts.survey import Scoring


class QuestionUnknown(Invalid):
    SLUG = "question-unknown"


class AnsweredTwice(Invalid):
    SLUG = "answered-twice"


class AnswerMissing(Invalid):
    SLUG = "answer-missing"


class AnswerOfWrongKind(Invalid):
    SLUG = "answer-of-wrong-kind"


class AnswerOutsideScale(Invalid):
    SLUG = "answer-outside-scale"


class ChoiceNotOffered(Invalid):
    SLUG = "choice-not-offered"


class ScaleUnclear(Invalid):
    SLUG = "scale-unclear"


class NothingAnswered(Invalid):
    SLUG = "nothing-answered"


class Judged(NamedTuple):
    """Answers that fit, by question code; values in the order in which the questions are asked."""

    values: dict[str, int]
    choices: dict[str, str]
    comments: dict[str, str]


def judge(answers: Sequence[IntakeAnswer], questions: Sequence[Question]) -> Judged:
    """Match answers and questions. An answer that says nothing is a skipped question.

    Raises QuestionUnknown, AnsweredTwice, AnswerMissing, AnswerOfWrongKind, AnswerOutsideScale, ChoiceNotOffered,
    ScaleUnclear and NothingAnswered.
    """
    asked = {question.question: question for question in questions}
    given: dict[str, IntakeAnswer] = {}
    for answer in answers:
        if answer.question not in asked:
            known = ", ".join(list(asked)[:20])
            raise QuestionUnknown(
                f"question {answer.question!r} is not asked here; the questions are {known}; answer one of them"
            )
        if answer.question in given:
            raise AnsweredTwice(f"question {answer.question!r} is answered twice; send one answer to each question")
        given[answer.question] = answer
    judged = Judged({}, {}, {})
    answered = {name for name, question in asked.items() if name in given and _judge_one(given[name], question, judged)}
    for name, question in asked.items():
        if question.required and name not in answered:
            raise AnswerMissing(f"question {name!r} must be answered; send its {_form(question)}")
    if not any(judged):
        raise NothingAnswered("no question is answered; send at least one value, choice or comment")
    return judged


def _judge_one(answer: IntakeAnswer, question: Question, judged: Judged) -> bool:
    """Note the answer; False when it says nothing."""
    name, comment = question.question, answer.comment.strip() if answer.comment else ""
    wordless = answer.choice is None and not comment
    if not wordless or question.scale is None:  # most are a value on a scale, and every response pays for each
        _require_form(answer, comment, question)
    if question.scale is not None:
        _same_scale(answer, question)
        if answer.value is None:
            return False
        low, high = question.scale
        if not low <= answer.value <= high:
            raise AnswerOutsideScale(
                f"question {name!r}: {answer.value} is outside its scale; send a whole number from {low} to {high}"
            )
        judged.values[name] = answer.value
        return True
    if answer.choice is not None:
        if answer.choice not in question.choices:
            offered = ", ".join(question.choices[:20])
            raise ChoiceNotOffered(f"question {name!r} does not offer this choice; send one of {offered}")
        judged.choices[name] = answer.choice
    elif comment:
        judged.comments[name] = comment
    return not wordless


def _require_form(answer: IntakeAnswer, comment: str, question: Question) -> None:
    told = (("value", answer.value), ("choice", answer.choice), ("comment", comment or None))
    form = _form(question)
    wrong = next((other for other, content in told if content is not None and other != form), None)
    if wrong is not None:
        raise AnswerOfWrongKind(
            f"question {question.question!r} is a {question.kind} question and takes a {form}, not a {wrong}; "
            f"send the {wrong} under a question of its own kind"
        )


def _form(question: Question) -> str:
    """Which field of an answer this question takes."""
    return question.kind if question.kind in ("choice", "comment") else "value"


def _same_scale(answer: IntakeAnswer, question: Question) -> None:
    """What the sender believes to be measured must be what was asked: a 9 on 0–10 is no 9 on 1–10."""
    if answer.scale not in (None, question.scale) or answer.metric not in (None, question.kind):
        low, high = question.scale or (0, 0)
        raise ScaleUnclear(
            f"question {question.question!r} is a {question.kind} question on the scale [{low}, {high}]; "
            "leave metric and scale out, or send these"
        )


def questions_of(answers: Sequence[IntakeAnswer], scoring: Scoring) -> list[Question]:
    """The questions that answers without a campaign imply: each scored one says its metric and scale itself.

    Raises ScaleUnclear, and ScaleWithoutRatio of the questionnaire.
    """
    implied: dict[str, Question] = {}
    for answer in answers:
        question = _question_of(answer)
        require_ratio(question, scoring)
        implied.setdefault(answer.question, question)
    return list(implied.values())


def _question_of(answer: IntakeAnswer) -> Question:
    if answer.value is not None or answer.metric is not None or answer.scale is not None:
        if answer.metric is None or answer.scale is None:
            raise ScaleUnclear(
                f"question {answer.question!r}: without a campaign an answer must say its metric "
                '(csat, nps, ces or rating) and its scale; send them, such as "scale": [1, 5]'
            )
        return _scored(answer.question, answer.metric, answer.scale, answer.factor, answer.weight)
    if answer.choice is not None:
        return _sound(answer.question, {"kind": "choice", "choices": [answer.choice]})
    return _sound(answer.question, {"kind": "comment"})


@lru_cache(maxsize=20_000)
def _scored(name: str, metric: Metric, scale: Scale, factor: str | None, weight: int) -> Question:
    """Most repeat one of a few hundred, and are checked once. Raises ScaleUnclear."""
    return _sound(name, {"kind": metric, "scale": scale, "factor": factor, "weight": weight})


def _sound(name: str, fields: Mapping[str, object]) -> Question:
    try:
        return Question.model_validate({"question": name, **fields})
    except ValidationError as error:
        reason = error.errors(include_url=False, include_input=False)[0]["msg"].removeprefix("Value error, ")
        raise ScaleUnclear(f"question {name!r}: {reason}; correct it and send it again") from error
