"""When a person says no to surveys, or is forgotten, nothing is sent to them any more (S2-02, PIPL 15).

The word of a later revision of the customer's file counts, so that hearing an event again changes nothing.
"""

from collections.abc import Sequence
from datetime import datetime

from services.survey.model.addressee import PURPOSE, Addressee, Word, hear
from services.survey.views.invitations import STORED, who_is
from shared.contracts.consent import ConsentGranted, ConsentWithdrawn
from shared.contracts.customer import ErasureCompleted
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Event
from shared.plumbing.identity import Identity
from shared.plumbing.journal import Task
from shared.plumbing.reacting import Reacting, Told

NAME = "stop-inviting-when-consent-is-withdrawn"
HEARS: tuple[type[Event], ...] = (ConsentGranted, ConsentWithdrawn, ErasureCompleted)


def reacting(identity: Identity) -> Reacting:
    """The reaction."""

    def react(told: Told, _now: datetime) -> Task[Addressee] | None:
        found = _word(told.event)
        if found is None:
            return None
        word, person = found
        who = who_is(identity, told.event.customer_id, person)

        def decide(state: Addressee | None, scene: Scene) -> Sequence[Said]:
            return hear(state, who, word, told.envelope.revision, scene.now)

        return Task(STORED, who.addressee_id, decide, whole=frozenset({"invitations"}))

    return Reacting(NAME, HEARS, react)


def _word(event: Event) -> tuple[Word, str] | None:
    """What was said of surveys, and by whom; None where it is about something else."""
    match event:
        case ErasureCompleted():
            return "erased", event.contact_id or event.customer_id
        case ConsentGranted() | ConsentWithdrawn() if PURPOSE in event.purposes:
            return ("given" if isinstance(event, ConsentGranted) else "withdrawn"), event.person_id
        case _:
            return None
