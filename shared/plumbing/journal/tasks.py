"""What is to be decided, about which subject, and how subjects of that kind are stored."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Event
from shared.contracts.state import State

S = TypeVar("S", bound=State)
OWNER = "owned_by"
"""Field of a state document that names its owner, for lists of what somebody owns."""


@dataclass(frozen=True)
class Aggregate(Generic[S]):
    """How one kind of subject is stored: `evolve` folds one event into the state, `key` gives its partition key.

    `marks` are (kind, value) by which a head is found although they are sealed: stored beside it as blind tags.
    `owner` names whoever is answerable for it, by whom rights reach rows; without it nobody owns one of this kind.
    """

    collection: str
    state: type[S]
    evolve: Callable[[S | None, Event, Mapping[str, Any]], S]
    key: Callable[[S], str]
    marks: Callable[[S], Iterable[tuple[str, str]]] | None = None
    owner: Callable[[S], str | None] | None = None
    moved: str | None = None
    """Field of the state that names the subject standing in for it, one that does not stand itself elsewhere."""
    moment: str | None = None
    """Field of the state that keeps when an event occurred; its envelope tells that, so nothing is sealed for it."""

    def folded(self, state: S | None, event: Event, private: Mapping[str, Any], at: datetime) -> S:
        """The state after one event that occurred `at`, with what is private to it."""
        return self.evolve(state, event, private if self.moment is None else {self.moment: at, **private})


@dataclass(frozen=True)
class Loaded(Generic[S]):
    """A state as read or as decided: version 0 and no state means that the subject does not exist yet."""

    state: S | None
    version: int = 0
    key: str | None = None
    recorded: datetime | None = None


@dataclass(frozen=True)
class Task(Generic[S]):
    """One thing to decide: about which subject, which of its parts and which other subjects must be read for it."""

    aggregate: Aggregate[S]
    subject: str
    decide: Callable[[S | None, Scene], Sequence[Said]]
    parts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    others: tuple[tuple[Aggregate[Any], str], ...] = ()
    sequence: str | None = None
    """The sequence that numbers subjects of this kind: a new one gets its own number."""
    person: str | None = None
    """Whose personal data the request carries, while there is no state yet that tells."""
    whole: frozenset[str] = frozenset()
    """Fields of which every part of the subject is needed."""
    follow: bool = True
    """Decided by the subject that stands in for this one, where there is one."""
    forgets: str | None = None
    """Whose keys are destroyed, with those of all within, when this is decided: nothing sealed for them is left."""
    rows: tuple[tuple[Aggregate[Any], str], ...] = ()
    """Those of `others` about whom the caller's right is asked, instead of the subject: what is asked for them."""


@dataclass(frozen=True)
class Cause:
    """Who and what brought an event about; copied into the envelope."""

    actor: str | None = None
    correlation: str | None = None
    causation: str | None = None
    traceparent: str | None = None
    right: Mapping[str, str] | None = None
    """By which right it was done, for the audit: actor, action, version of the roles table."""
