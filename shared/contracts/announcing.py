"""What the customer service says of versions of policies: announced in advance, and read by our people (S1-23).

A version of a document is a subject of its own; readers are opaque ids.
"""

from datetime import date
from typing import ClassVar

from shared.contracts.envelope import Code, Event, Moment


class PolicyVersionEvent(Event):
    SUBJECT: ClassVar[str] = "version of a policy"
    edition_id: Code
    pack: Code
    document: Code
    version: Code


class PolicyAnnounced(PolicyVersionEvent):
    """All our people are to read it: announced on a day, in force from a later one."""

    TYPE: ClassVar[str] = "manyi.policy.announced.v1"
    announced: date
    effective_from: date


class PolicyRead(PolicyVersionEvent):
    """Somebody says to have read it; `trained`: to have been trained in it, too."""

    TYPE: ClassVar[str] = "manyi.policy.read.v1"
    by: Code
    trained: bool
    at: Moment


SAYS: tuple[type[Event], ...] = (PolicyAnnounced, PolicyRead)
