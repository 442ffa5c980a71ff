"""A campaign: asks one version of a questionnaire from its start on, and knows which answers come late."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from services.survey.model.questionnaire import Questionnaire
from shared.contracts import survey as said
from shared.contracts.decision import Invalid, NotFound, Refusal, Said
from shared.contracts.envelope import Event
from shared.contracts.questions import Question
from shared.contracts.state import State
from shared.contracts.survey import Scoring

COLLECTION = "campaigns"


class QuestionnaireUnknown(NotFound):
    SLUG = "questionnaire-unknown"


class CampaignUnknown(NotFound):
    SLUG = "campaign-unknown"


class CampaignAlreadyStarted(Refusal):
    SLUG = "campaign-already-started"


class CampaignAlreadyClosed(Refusal):
    SLUG = "campaign-already-closed"


class CampaignClosesBeforeStart(Invalid):
    SLUG = "campaign-closes-before-start"


class Campaign(State):
    """Questions and scoring are copied at the start, so that judging an answer needs nothing but its campaign."""

    campaign_id: str
    code: str
    questionnaire_id: str
    questionnaire_version: int
    scoring: Scoring
    questions: list[Question]
    product_lines: list[str] = []
    anonymous: bool = False
    started_at: datetime
    closes_at: datetime | None = None
    closed_at: datetime | None = None

    def over_at(self, moment: datetime) -> bool:
        """Whether an answer given at `moment` is late: after the announced end, or after the campaign was closed."""
        return any(end is not None and moment >= end for end in (self.closes_at, self.closed_at))


def evolve(state: Campaign | None, event: Event, private: Mapping[str, Any]) -> Campaign:
    """Fold one event, public and private part, into the state."""
    if isinstance(event, said.CampaignStarted):
        return Campaign.model_validate({**event.model_dump(), **private})
    if state is None or not isinstance(event, said.CampaignClosed):
        raise ValueError(f"{event.TYPE} does not fit a campaign that is {'unknown' if state is None else 'running'}")
    return state.model_copy(update={"closed_at": event.at})


def start(
    state: Campaign | None,
    questionnaire: Questionnaire | None,
    campaign_id: str,
    code: str,
    terms: tuple[Sequence[str], datetime | None, bool],
    now: datetime,
) -> list[Said]:
    """Take answers from now on; `terms` are product lines, announced end or None, and whether it is anonymous.

    Raises QuestionnaireUnknown, CampaignAlreadyStarted and CampaignClosesBeforeStart.
    """
    product_lines, closes_at, anonymous = terms
    if state is not None:
        raise CampaignAlreadyStarted(f"campaign {code!r} was started before; choose another code")
    if questionnaire is None:
        raise QuestionnaireUnknown("there is no such questionnaire; publish it with POST /v1/questionnaires")
    if closes_at is not None and closes_at <= now:
        raise CampaignClosesBeforeStart("closesAt has passed already; name a later time, or leave it out")
    event = said.CampaignStarted(
        campaign_id=campaign_id,
        code=code,
        questionnaire_id=questionnaire.questionnaire_id,
        questionnaire_version=questionnaire.version,
        scoring=questionnaire.scoring,
        questions=questionnaire.questions,
        product_lines=list(product_lines),
        closes_at=closes_at,
        anonymous=anonymous,
    )
    return [Said(event, now, {"started_at": now})]


def close(state: Campaign | None, now: datetime) -> list[Said]:
    """End the collection; what comes later is taken and marked late. Raises CampaignUnknown, CampaignAlreadyClosed."""
    if state is None:
        raise CampaignUnknown("there is no such campaign; start it with POST /v1/campaigns")
    if state.closed_at is not None:
        raise CampaignAlreadyClosed(f"campaign {state.code!r} is closed already; there is nothing more to do")
    return [Said(said.CampaignClosed(campaign_id=state.campaign_id, at=now), now)]
