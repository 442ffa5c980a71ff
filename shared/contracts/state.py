"""How a model declares its state; what is sealed and what is stored apart is said here, done by the plumbing."""

from collections.abc import Callable, Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A piece of a state that is stored as a document of its own, since a subject may have very many."""

    model_config = ConfigDict(frozen=True)
    PRIVATE: ClassVar[frozenset[str]] = frozenset()
    BLIND: ClassVar[Mapping[str, Callable[[str], str]]] = {}
    """Private fields that can be found by equality → their normal form."""
    PERSON: ClassVar[bool] = False
    """Whether it is somebody in person, to be forgotten alone; else it belongs to whom its subject is about."""

    def person(self, identifier: str) -> str | None:
        """Whose personal data it holds, by its id; None: of whom its subject is about."""
        return identifier if self.PERSON else None


class State(BaseModel):
    """Base of an aggregate's state. PRIVATE fields are sealed; PARTS maps a dict field to (collection, model).

    A private field has a default: it is what is left once the person was erased.
    """

    model_config = ConfigDict(frozen=True)
    PRIVATE: ClassVar[frozenset[str]] = frozenset()
    BLIND: ClassVar[Mapping[str, Callable[[str], str]]] = {}
    PARTS: ClassVar[Mapping[str, tuple[str, type[Part]]]] = {}
