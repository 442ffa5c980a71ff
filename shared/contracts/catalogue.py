"""Who says what, and who listens. A test walks the services and fails where catalogue and code disagree."""

from collections.abc import Iterator
from dataclasses import dataclass

from shared.contracts import (
    announcing,
    authority,
    care,
    consent,
    customer,
    duplicates,
    entitlements,
    feedback,
    inviting,
    key_changes,
    merges,
    quality,
    rights,
    service_items,
    spending,
    staff,
    survey,
    visits,
)
from shared.contracts.envelope import Event


@dataclass(frozen=True)
class Entry:
    """One event type: its class, the service that says it and the services that listen."""

    event: type[Event]
    speaker: str
    listeners: tuple[str, ...]


SPOKEN: tuple[tuple[str, tuple[type[Event], ...]], ...] = (
    (
        "customer",
        (
            *customer.SAYS,
            *key_changes.SAYS,
            *merges.SAYS,
            *care.SAYS,
            *spending.SAYS,
            *visits.SAYS,
            *entitlements.SAYS,
            *quality.SAYS,
            *consent.SAYS,
            *rights.SAYS,
            *duplicates.SAYS,
            *service_items.SAYS,
            *staff.SAYS,
            *authority.SAYS,
            *announcing.SAYS,
        ),
    ),
    ("survey", (*survey.SAYS, *inviting.SAYS)),
    ("feedback", feedback.SAYS),
)


def _entries() -> Iterator[Entry]:
    reacting: dict[type[Event], tuple[str, ...]] = {
        **dict.fromkeys(feedback.SAYS, ("customer", "reporting")),
        survey.SurveyResponded: ("customer", "feedback", "reporting"),
        visits.VisitCompleted: ("feedback", "reporting"),
        **dict.fromkeys(
            (*consent.SAYS, customer.ErasureCompleted, merges.CustomersMerged, merges.CustomersUnmerged),
            ("reporting", "survey"),
        ),
    }
    for speaker, said in SPOKEN:
        for event in said:
            yield Entry(event, speaker, reacting.get(event, ("reporting",)))


INTAKE_DAYS = 7
"""How long intake topics keep what foreign systems wrote: it may be personal."""
QUARANTINE_DAYS = 30
"""How long a service keeps, sealed, what it could not take."""

CATALOGUE: dict[str, Entry] = {entry.event.TYPE: entry for entry in _entries()}
"""Wire type → entry."""

SPEAKERS = ("customer", "survey", "feedback", "reporting")


def events_topic(prefix: str, service: str) -> str:
    """Topic a service speaks on, such as `manyi-survey-events`."""
    return f"{prefix}{service}-events"


def intake_topic(prefix: str, service: str) -> str:
    """Topic a service hears foreign systems on, such as `manyi-survey-intake`."""
    return f"{prefix}{service}-intake"


def dead_letters_topic(prefix: str) -> str:
    """Topic that names what could not be read: coordinates and reason, never the payload."""
    return f"{prefix}dead-letters"


def watermarks_topic(prefix: str) -> str:
    """Compacted topic: how far each event partition is recorded."""
    return f"{prefix}watermarks"
