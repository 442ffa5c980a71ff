"""The feedback service, as one list: what it stores, hears, says and shows."""

import functools
import uuid
from pathlib import Path

import yaml

from services.feedback.commands import (
    acknowledge_case,
    assign_case,
    close_case,
    open_case,
    pause_case,
    record_outside_step,
    reopen_case,
    resolve_case,
    respond_to_case,
    resume_case,
)
from services.feedback.model.deadlines import Deadlines
from services.feedback.reactions import open_case_when_score_is_low, open_inquiry_when_visit_leaves_one
from services.feedback.views import case_file
from shared import policy
from shared.contracts.catalogue import events_topic, intake_topic
from shared.contracts.intake import FEEDBACK_INTAKE
from shared.contracts.survey import SurveyResponded
from shared.contracts.visits import VisitCompleted
from shared.plumbing.app import Service
from shared.plumbing.intake import PORTION
from shared.plumbing.listening import Hearing
from shared.plumbing.reacting import Reaction
from shared.plumbing.settings import Settings
from shared.plumbing.speaking import Speaking
from shared.plumbing.timers import TIMERS_EVERY_S, Timekeeper
from shared.policy.low_score import LowScore

PACKS = Path(policy.__file__).parent / "packs"
STEPS = (
    acknowledge_case,
    assign_case,
    respond_to_case,
    pause_case,
    resolve_case,
    close_case,
)


def build(settings: Settings) -> Service:
    """Compose the service; must be called inside the running loop. Raises ValidationError for an unsound policy."""
    speaking = Speaking("feedback", settings)
    ledger, identity = speaking.ledger, speaking.identity
    low_score = LowScore.model_validate(yaml.safe_load((PACKS / "low-score.yaml").read_text()))
    deadlines = Deadlines(settings.read_policies(), settings.local_zone)
    timekeeper = Timekeeper(ledger, case_file.STORED, deadlines.tell, uuid.uuid4().hex)
    desk = speaking.intake_desk([*open_case.understood(identity), *record_outside_step.understood(identity)])
    reaction = Reaction(
        ledger, open_case_when_score_is_low.reacting(low_score, identity, deadlines), settings.max_dead_letters_in_a_row
    )
    inquiring = Reaction(
        ledger, open_inquiry_when_visit_leaves_one.reacting(identity, deadlines), settings.max_dead_letters_in_a_row
    )
    intake, responses = intake_topic(settings.topic_prefix, "feedback"), events_topic(settings.topic_prefix, "survey")
    visited = events_topic(settings.topic_prefix, "customer")
    return speaking.service(
        description="Complaints, inquiries, suggestions and praise, from opening until they are closed.",
        routers=[
            open_case.routes(ledger, identity, deadlines),
            resume_case.routes(ledger, deadlines),
            reopen_case.routes(ledger, deadlines),
            *(step.routes(ledger) for step in STEPS),
            case_file.routes(ledger),
        ],
        hearings=[
            Hearing("feedback-intake", [intake], desk, portion=PORTION),
            Hearing(f"feedback-{open_case_when_score_is_low.NAME}", [responses], reaction),
            Hearing(f"feedback-{open_inquiry_when_visit_leaves_one.NAME}", [visited], inquiring),
        ],
        hears_types={intake: FEEDBACK_INTAKE, responses: (SurveyResponded,), visited: (VisitCompleted,)},
        prepare=[functools.partial(case_file.prepare, ledger), timekeeper.prepare],
        chores=[(TIMERS_EVERY_S, timekeeper.step)],
    )
