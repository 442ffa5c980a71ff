"""What a rule answers: sentences to be recorded, or a refusal. Pure, so that every `model.py` may use it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from shared.contracts.envelope import Event


@dataclass(frozen=True)
class Said:
    """One event a rule decided on, before it has a revision.

    `time` is when it occurred. `private` (personal data, comments, written reasons, external ids) is committed with
    the event, sealed, and never leaves the service; it is about `person`, or else about whom the partition key names.
    `policy_version` names the policy version that decided it.
    """

    event: Event
    time: datetime
    private: Mapping[str, Any] = field(default_factory=dict)
    timezone: str | None = None
    policy_version: str | None = None
    person: str | None = None


@dataclass(frozen=True)
class Scene:
    """What a rule may look at beside its own state: the instant, and the states of other subjects it asked for.

    `number` is the subject's own in the sequence that the task asked for; None once the subject exists.
    """

    now: datetime
    others: Mapping[str, Any] = field(default_factory=dict)
    number: int | None = None


class Refusal(Exception):
    """A rule says no; the message is the sentence a clerk would say, with what to do instead."""

    STATUS: ClassVar[int] = 409
    SLUG: ClassVar[str] = "refused"
    KEEPS: ClassVar[bool] = True
    """Whether what was refused may be set aside for a later retry."""


class NotFound(Refusal):
    STATUS: ClassVar[int] = 404
    SLUG: ClassVar[str] = "not-found"


class Invalid(Refusal):
    """The request is well-formed, but says something impossible."""

    STATUS: ClassVar[int] = 422
    SLUG: ClassVar[str] = "invalid"


class TooEarly(Exception):
    """What this refers to has not arrived yet: keep it, and decide again when what it waits for changes.

    `waits` names that as (collection, subject), one of the task's `others`; without it the task's own subject is meant.
    """

    def __init__(self, sentence: str, waits: tuple[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.waits = waits
