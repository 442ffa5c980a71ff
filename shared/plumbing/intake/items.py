"""A foreign event on its way through a batch, and what is answered to it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from shared.contracts.intake import Intake
from shared.plumbing.cloudevents import CloudEvent
from shared.plumbing.journal import Task
from shared.plumbing.listening import Record
from shared.plumbing.quarantine import Headers

Outcome = Literal["accepted", "duplicate", "early", "rejected"]


@dataclass(frozen=True)
class Heard:
    """A foreign fact, validated: where it comes from, when it happened, and what it says."""

    source: str
    time: datetime
    timezone: str | None
    data: Any


@dataclass(frozen=True)
class Understood:
    """One intake type: the model of its data, and how it becomes a task."""

    data: type[Intake]
    task: Callable[[Heard], Task[Any]]


@dataclass(frozen=True)
class Receipt:
    """The answer to one event."""

    id: str | None
    type: str | None
    outcome: Outcome
    reason: str | None = None


@dataclass
class Item:
    """One event on its way through a batch."""

    place: str
    arrived: datetime
    raw: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    event: CloudEvent | None = None
    task: Task[Any] | None = None
    receipt_id: str = ""
    identity: str | None = None
    outcome: Outcome = "accepted"
    reason: str | None = None
    waiting: bool = False
    """Whether it stood among the early records before this batch."""
    waits: tuple[str, str] | None = None
    """(collection, subject) whose change lets an early one be decided again."""
    waited: tuple[str, str] | None = None
    """What the early record stored before this batch waits for."""
    receipted: bool = False
    """Whether its own receipt is there already: it was rejected once and is tried again."""

    @property
    def source(self) -> str:
        return self.event.source if self.event else "?"

    @property
    def type(self) -> str:
        return self.event.type if self.event else "?"

    @property
    def unread(self) -> str | None:
        """Why it could not be understood."""
        return self.reason if self.task is None else None


def item_of(record: Record) -> Item:
    """A record as it came from the topic."""
    arrived = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    place = f"{record.topic}/{record.partition}/{record.offset}"
    return Item(place, arrived, record.value, record.key, record.headers)
