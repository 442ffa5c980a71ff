"""When another service tells something about a customer, note it, for the timeline and the 360 view (S0-01, S2-12).

One document for each event, named by its subject and revision: a second delivery finds it there, and the order of
arrival does not matter. Only what an event says in public is kept: ids, codes, scores and instants.
"""

from shared.contracts import feedback, survey
from shared.contracts.envelope import Event
from shared.plumbing.reacting import Note, Reacting, Told

NAME = "note-what-others-tell"
HEARD = "heard"
HEARS: tuple[type[Event], ...] = (survey.SurveyResponded, *feedback.SAYS)
LEFT_OUT = {"customer_id", "dims", "targets"}
"""Said elsewhere in the note, or of use to nobody who looks at one customer."""
REACTING = Reacting(NAME, HEARS, lambda told, _now: note(told))


def note(told: Told) -> Note | None:
    """What is kept of an event; nothing of one that is about nobody: its subject is its own partition key."""
    envelope = told.envelope
    if envelope.partitionkey == envelope.subject:
        return None
    document = {
        "_id": f"{envelope.subject}:{envelope.revision}",
        "customer": envelope.partitionkey,
        "subject": envelope.subject,
        "revision": envelope.revision,
        "service": envelope.source.rpartition("/")[2],
        "type": envelope.type,
        "at": envelope.time,
        "actor": envelope.actor,
        "data": told.event.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=LEFT_OUT),
    }
    return Note(HEARD, document)
