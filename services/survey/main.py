"""The survey service, as one list: what it stores, hears, says and shows."""

import functools

from services.survey.commands import (
    close_campaign,
    invite_person,
    publish_questionnaire,
    start_campaign,
    submit_response,
)
from services.survey.reactions import stop_inviting_when_consent_is_withdrawn
from services.survey.views import campaigns, invitations, questionnaires, responses
from shared.contracts.catalogue import events_topic, intake_topic
from shared.contracts.intake import SURVEY_INTAKE
from shared.plumbing.app import Service
from shared.plumbing.intake import PORTION
from shared.plumbing.listening import Hearing
from shared.plumbing.reacting import Reaction
from shared.plumbing.settings import Settings
from shared.plumbing.speaking import Speaking


def build(settings: Settings) -> Service:
    """Compose the service; must be called inside the running loop."""
    speaking = Speaking("survey", settings)
    ledger, identity = speaking.ledger, speaking.identity
    desk = speaking.intake_desk(submit_response.understood(identity))
    topic = intake_topic(settings.topic_prefix, "survey")
    customers = events_topic(settings.topic_prefix, "customer")
    stopping = Reaction(
        ledger, stop_inviting_when_consent_is_withdrawn.reacting(identity), settings.max_dead_letters_in_a_row
    )
    return speaking.service(
        description="What we ask and what is answered: questionnaires, campaigns and scored responses.",
        routers=[
            publish_questionnaire.routes(ledger, identity),
            questionnaires.routes(ledger),
            start_campaign.routes(ledger, identity),
            close_campaign.routes(ledger),
            campaigns.routes(ledger),
            invite_person.routes(ledger, identity, settings),
            invitations.routes(ledger),
            submit_response.routes(ledger, identity),
            responses.routes(ledger, identity),
        ],
        hearings=[
            Hearing("survey-intake", [topic], desk, portion=PORTION),
            Hearing(f"survey-{stop_inviting_when_consent_is_withdrawn.NAME}", [customers], stopping),
        ],
        hears_types={topic: SURVEY_INTAKE, customers: stop_inviting_when_consent_is_withdrawn.HEARS},
        prepare=[
            functools.partial(view.prepare, ledger) for view in (questionnaires, campaigns, invitations, responses)
        ],
    )
