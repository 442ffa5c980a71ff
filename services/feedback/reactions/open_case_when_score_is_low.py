"""When a response holds a bad answer, open one complaint case for it (DOMAIN E7; S0-08, S1-12).

The case id is derived from the response id, so a response heard again finds its case and opens no other.
"""

from collections.abc import Sequence
from datetime import datetime

from services.feedback.model.case import Case
from services.feedback.model.deadlines import Deadlines
from services.feedback.model.opening import Opening, open_case
from services.feedback.views.case_file import STORED
from shared.contracts.decision import Said, Scene
from shared.contracts.survey import SurveyResponded
from shared.plumbing.identity import Identity
from shared.plumbing.journal import Task
from shared.plumbing.reacting import Reacting, Told
from shared.policy.low_score import LowScore

NAME = "open-case-when-score-is-low"
SURVEY = "manyi/survey"


def reacting(policy: LowScore, identity: Identity, deadlines: Deadlines) -> Reacting:
    """The reaction, under these policies."""

    def react(told: Told, now: datetime) -> Task[Case] | None:
        response: SurveyResponded = told.event
        version = policy.in_force(now.date())
        if version is None or not version.is_low(response.answers):
            return None
        opening = Opening(
            case_id=identity.of("case", SURVEY, response.response_id),
            source=response.dims.get("source", SURVEY),
            external_id=response.response_id,
            at=now,
            timezone=told.envelope.timezone,
            customer_id=response.customer_id,
            channel="survey",
            category="low_score",
            product=response.product_line,
            dims=response.dims,
            source_response_id=response.response_id,
            loop_id=identity.of("loop", SURVEY, response.response_id),
            policy_version=version.version,
            targets=deadlines.begun(now, None),
        )

        def decide(state: Case | None, _scene: Scene) -> Sequence[Said]:
            return [] if state is not None else open_case(state, opening)

        return Task(STORED, opening.case_id, decide, person=opening.customer_id)

    return Reacting(NAME, [SurveyResponded], react)
