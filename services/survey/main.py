"""The survey service, as one list: what it stores, hears, says and shows."""

import functools

from services.survey.commands import close_campaign, publish_questionnaire, start_campaign, submit_response
from services.survey.views import campaigns, questionnaires, responses
from shared.contracts.catalogue import intake_topic
from shared.contracts.intake import SURVEY_INTAKE
from shared.plumbing.app import Service
from shared.plumbing.listening import Hearing
from shared.plumbing.settings import Settings
from shared.plumbing.speaking import Speaking


def build(settings: Settings) -> Service:
    """Compose the service; must be called inside the running loop."""
    speaking = Speaking("survey", settings)
    ledger, identity = speaking.ledger, speaking.identity
    desk = speaking.intake_desk(submit_response.understood(identity))
    topic = intake_topic(settings.topic_prefix, "survey")
    return speaking.service(
        description="What we ask and what is answered: questionnaires, campaigns and scored responses.",
        routers=[
            publish_questionnaire.routes(ledger, identity),
            questionnaires.routes(ledger),
            start_campaign.routes(ledger, identity),
            close_campaign.routes(ledger),
            campaigns.routes(ledger),
            submit_response.routes(ledger, identity),
            responses.routes(ledger, identity),
        ],
        hearings=[Hearing("survey-intake", [topic], desk)],
        hears_types={topic: SURVEY_INTAKE},
        prepare=[functools.partial(view.prepare, ledger) for view in (questionnaires, campaigns, responses)],
    )
