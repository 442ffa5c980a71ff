"""Steps of cases that an outside desk runs, from `case.updated`."""

from collections.abc import Sequence

from services.feedback.model.case import Case
from services.feedback.model.outside_desk import record_step
from services.feedback.views.case_file import STORED
from shared.contracts import intake
from shared.contracts.decision import Said, Scene
from shared.plumbing.identity import Identity
from shared.plumbing.intake import Heard, Understood
from shared.plumbing.journal import Task


def understood(identity: Identity) -> list[Understood]:
    """The intake type of this use case."""

    def updated(heard: Heard) -> Task[Case]:
        data: intake.CaseUpdated = heard.data

        def decide(state: Case | None, _scene: Scene) -> Sequence[Said]:
            return record_step(state, data, heard.time)

        return Task(STORED, identity.of("case", heard.source, data.case), decide)

    return [Understood(intake.CaseUpdated, updated)]
