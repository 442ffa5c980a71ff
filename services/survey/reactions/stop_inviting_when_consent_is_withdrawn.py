"""When a person says no to surveys, or is forgotten, nothing is sent to them any more (S2-02, PIPL 15).

Nor is anything to a customer whose file went into another's (S0-34): the survivor is asked instead, by its own word.

The word of a later revision of the customer's file counts, so that hearing an event again changes nothing.
"""

from collections.abc import Sequence
from datetime import datetime

from services.survey.model.addressee import PURPOSE, Addressee, Word, hear, regroup
from services.survey.views.invitations import STORED, who_is
from shared.contracts.consent import ConsentGranted, ConsentWithdrawn
from shared.contracts.customer import ErasureCompleted
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Event
from shared.contracts.merges import CustomersMerged, CustomersUnmerged
from shared.plumbing.identity import Identity
from shared.plumbing.journal import Task
from shared.plumbing.reacting import Reacting, Told

NAME = "stop-inviting-when-consent-is-withdrawn"
HEARS: tuple[type[Event], ...] = (
    ConsentGranted,
    ConsentWithdrawn,
    ErasureCompleted,
    CustomersMerged,
    CustomersUnmerged,
)


def reacting(identity: Identity) -> Reacting:
    """The reaction."""

    def react(told: Told, _now: datetime) -> Task[Addressee] | None:
        event, heard = told.event, told.envelope.revision
        word = _word(event)
        if word is None and not _gone_or_back(event):
            return None
        customer_id = event.customer_id
        who = who_is(identity, customer_id, customer_id if word is None else word[1])

        def decide(state: Addressee | None, scene: Scene) -> Sequence[Said]:
            if word is not None:
                return hear(state, who, word[0], heard, scene.now)
            survivor = event.survivor_id if isinstance(event, CustomersMerged) else None
            return regroup(state, who, survivor, heard, scene.now)

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


def _gone_or_back(event: Event) -> bool:
    """Whether this is the file that went into another or left it; the other one is told of it as well."""
    return isinstance(event, CustomersMerged | CustomersUnmerged) and event.customer_id == event.merged_id
