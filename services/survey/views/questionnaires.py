"""Questionnaires with their questions: the newest version, any earlier one, and the list."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from services.survey.model.campaign import QuestionnaireUnknown
from services.survey.model.questionnaire import PublishedVersion, Questionnaire, evolve, version_id
from services.survey.views.shown import MAX_PAGE, Shown
from shared.contracts.decision import NotFound
from shared.contracts.envelope import Code, Moment
from shared.contracts.questions import Question
from shared.contracts.survey import Scoring
from shared.plumbing.access import allowed
from shared.plumbing.journal import Aggregate, Ledger, Loaded

STORED = Aggregate("questionnaires", Questionnaire, evolve, lambda state: state.questionnaire_id)


class VersionUnknown(NotFound):
    SLUG = "questionnaire-version-unknown"


class ShownQuestionnaire(Shown):
    """One version of a questionnaire, as published."""

    questionnaire_id: str
    code: str
    version: int
    scoring: Scoring
    questions: list[Question]
    published_at: Moment


class QuestionnairePage(Shown):
    """Newest versions in the order of their ids; `next` is the `after` of the following page."""

    questionnaires: list[ShownQuestionnaire]
    next: str | None = None


def as_questionnaire(loaded: Loaded[Questionnaire]) -> dict[str, Any]:
    """The newest version as JSON."""
    if loaded.state is None:
        raise ValueError("a questionnaire that does not exist cannot be shown")
    return _shown(loaded.state).as_json()


def _shown(state: Questionnaire) -> ShownQuestionnaire:
    return ShownQuestionnaire.model_validate(state.model_dump(exclude={"versions"}))


def routes(ledger: Ledger) -> APIRouter:
    """The read routes below /v1/questionnaires."""
    router = APIRouter(prefix="/v1/questionnaires", tags=["questionnaires"])

    async def find(questionnaire_id: str) -> Questionnaire:
        document = await ledger.database["questionnaires"].find_one({"_id": questionnaire_id})
        state = (await ledger.read_head(STORED, document)).state if document is not None else None
        if state is None:
            raise QuestionnaireUnknown(
                f"there is no questionnaire {questionnaire_id}; list them with GET /v1/questionnaires"
            )
        return state

    @router.get(
        "",
        summary="List questionnaires, each in its newest version",
        response_model_exclude_none=True,
        dependencies=[allowed("questionnaire.read")],
    )
    async def list_questionnaires(
        after: Annotated[str | None, Query(max_length=64)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
        code: Code | None = None,
    ) -> QuestionnairePage:
        query: dict[str, Any] = {} if code is None else {"code": code}
        if after is not None:
            query["_id"] = {"$gt": after}
        documents = await ledger.database["questionnaires"].find(query).sort("_id", 1).limit(limit + 1).to_list()
        states = [one.state for one in await ledger.read_heads(STORED, documents[:limit])]
        shown = [_shown(state) for state in states if state is not None]
        more = len(documents) > limit
        return QuestionnairePage(questionnaires=shown, next=shown[-1].questionnaire_id if more else None)

    @router.get(
        "/{questionnaire_id}",
        summary="Read the newest version",
        response_model_exclude_none=True,
        dependencies=[allowed("questionnaire.read")],
    )
    async def read_questionnaire(questionnaire_id: Code) -> ShownQuestionnaire:
        return _shown(await find(questionnaire_id))

    @router.get(
        "/{questionnaire_id}/versions/{version}",
        summary="Read one version",
        response_model_exclude_none=True,
        dependencies=[allowed("questionnaire.read")],
    )
    async def read_version(questionnaire_id: Code, version: int) -> ShownQuestionnaire:
        newest = await find(questionnaire_id)
        name = version_id(questionnaire_id, version)
        document = await ledger.database["questionnaire_versions"].find_one({"_id": name})
        if document is None:
            raise VersionUnknown(
                f"questionnaire {newest.code!r} has the versions 1 to {newest.version}; name one of them"
            )
        published = PublishedVersion.model_validate(document)
        head = {"questionnaire_id": newest.questionnaire_id, "code": newest.code}
        return ShownQuestionnaire.model_validate({**head, **published.model_dump()})

    return router


async def prepare(ledger: Ledger) -> None:
    """Indexes of the list above; safe to repeat."""
    await ledger.database["questionnaires"].create_index("code", unique=True)
