"""A questionnaire and its versions: once published, a version never changes (S4-16)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from shared.contracts import survey as said
from shared.contracts.decision import Invalid, Said
from shared.contracts.envelope import Event
from shared.contracts.questions import Question
from shared.contracts.state import Part, State
from shared.contracts.survey import Scoring


class QuestionAskedTwice(Invalid):
    SLUG = "question-asked-twice"


class ChoiceOfferedTwice(Invalid):
    SLUG = "choice-offered-twice"


class ScaleWithoutRatio(Invalid):
    SLUG = "scale-without-ratio"


class PublishedVersion(Part):
    """One version as it was published; campaigns copy it, so they never look here again."""

    version: int
    scoring: Scoring
    questions: list[Question]
    published_at: datetime


class Questionnaire(State):
    """The newest version in full; every version is kept as a part named by `version_id`."""

    PARTS: ClassVar[Mapping[str, tuple[str, type[Part]]]] = {"versions": ("questionnaire_versions", PublishedVersion)}

    questionnaire_id: str
    code: str
    version: int
    scoring: Scoring
    questions: list[Question]
    published_at: datetime
    versions: dict[str, PublishedVersion] = {}


def version_id(questionnaire_id: str, version: int) -> str:
    """Name of one version's document."""
    return f"{questionnaire_id}:{version}"


def evolve(state: Questionnaire | None, event: Event, private: Mapping[str, Any]) -> Questionnaire:
    """Fold one event, public and private part, into the state."""
    if not isinstance(event, said.QuestionnairePublished):
        raise TypeError(f"{event.TYPE} is not an event of a questionnaire")
    fields = {**event.model_dump(), **private}
    version = PublishedVersion.model_validate(fields)
    before = state.versions if state is not None else {}
    versions = {**before, version_id(event.questionnaire_id, event.version): version}
    return Questionnaire.model_validate({**fields, "versions": versions})


def publish(
    state: Questionnaire | None,
    questionnaire_id: str,
    code: str,
    scoring: Scoring,
    questions: Sequence[Question],
    now: datetime,
) -> list[Said]:
    """Fix the next version under this code.

    Raises QuestionAskedTwice, ChoiceOfferedTwice and ScaleWithoutRatio.
    """
    seen: set[str] = set()
    for question in questions:
        if question.question in seen:
            raise QuestionAskedTwice(f"question {question.question!r} stands twice; give each its own code")
        seen.add(question.question)
        if len(set(question.choices)) != len(question.choices):
            raise ChoiceOfferedTwice(f"question {question.question!r} offers a choice twice; name each once")
        require_ratio(question, scoring)
    event = said.QuestionnairePublished(
        questionnaire_id=questionnaire_id,
        code=code,
        version=1 if state is None else state.version + 1,
        scoring=scoring,
        questions=list(questions),
    )
    return [Said(event, now, {"published_at": now})]


def require_ratio(question: Question, scoring: Scoring) -> None:
    """A share of the highest value (得分率) means nothing on a scale that goes below zero. Raises ScaleWithoutRatio."""
    if scoring == "ratio_to_max" and question.scale is not None and question.scale[0] < 0:
        raise ScaleWithoutRatio(
            f"question {question.question!r} has a scale below zero, which ratio_to_max cannot score; "
            "use linear, or a scale from 0 or 1 on"
        )
