"""When a visit or a reception leaves a question open, open one inquiry for it (S1-08).

The case id is derived from the visit's id, so a visit heard again finds its case and opens no other.
"""

from collections.abc import Sequence
from datetime import datetime

from services.feedback.model.case import Case
from services.feedback.model.deadlines import Deadlines
from services.feedback.model.opening import Opening, open_case
from services.feedback.views.case_file import STORED
from shared.contracts.decision import Said, Scene
from shared.contracts.visits import VisitCompleted
from shared.plumbing.identity import Identity
from shared.plumbing.journal import Task
from shared.plumbing.reacting import Reacting, Told

NAME = "open-inquiry-when-visit-leaves-one"
CUSTOMER = "manyi/customer"


def reacting(identity: Identity, deadlines: Deadlines) -> Reacting:
    """The reaction, under the deadlines of our own desk."""

    def react(told: Told, now: datetime) -> Task[Case] | None:
        visit: VisitCompleted = told.event
        if visit.inquiry is None:
            return None
        opening = Opening(
            case_id=identity.of("case", CUSTOMER, visit.visit_id),
            source=CUSTOMER,
            external_id=visit.visit_id,
            at=now,
            kind="inquiry",
            timezone=told.envelope.timezone,
            customer_id=visit.customer_id,
            channel=visit.kind,
            category=visit.inquiry,
            dims=visit.dims,
            targets=deadlines.begun(now, None),
        )

        def decide(state: Case | None, _scene: Scene) -> Sequence[Said]:
            return [] if state is not None else open_case(state, opening)

        return Task(STORED, opening.case_id, decide, person=opening.customer_id)

    return Reacting(NAME, [VisitCompleted], react)
