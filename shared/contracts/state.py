"""How a model declares its state; what is sealed and what is stored apart is said here, done by the plumbing."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A piece of a state that is stored as a document of its own, since a subject may have very many."""

    model_config = ConfigDict(frozen=True)
    PRIVATE: ClassVar[frozenset[str]] = frozenset()


class State(BaseModel):
    """Base of an aggregate's state. PRIVATE fields are sealed; PARTS maps a dict field to (collection, model)."""

    model_config = ConfigDict(frozen=True)
    PRIVATE: ClassVar[frozenset[str]] = frozenset()
    PARTS: ClassVar[Mapping[str, tuple[str, type[Part]]]] = {}
