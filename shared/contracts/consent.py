"""What the customer service says of consents, so that whoever sends stops at once (S2-02, S2-14, PIPL 13–17, 23)."""

from typing import ClassVar

from shared.contracts.customer import CustomerEvent
from shared.contracts.envelope import Code, Event, Moment


class ConsentEvent(CustomerEvent):
    """Base of the events about one person's consent: `person_id` is the customer's own id, or a contact's."""

    person_id: Code
    purposes: list[Code]
    at: Moment
    channel: Code | None = None


class ConsentGranted(ConsentEvent):
    """The person's data may be used for these purposes on this basis; the evidence stays in the service."""

    TYPE: ClassVar[str] = "manyi.customer.consent.granted.v1"
    basis: Code
    text_version: Code | None = None


class ConsentWithdrawn(ConsentEvent):
    """The person's data may not be used for these purposes any more: nothing is sent from now on (PIPL 15)."""

    TYPE: ClassVar[str] = "manyi.customer.consent.withdrawn.v1"


SAYS: tuple[type[Event], ...] = (ConsentGranted, ConsentWithdrawn)
"""What the customer service says; `ErasureCompleted` ends every consent besides."""
