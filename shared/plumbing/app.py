"""One service process, as its `main.py` lists it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from fastapi import APIRouter
from pydantic import BaseModel

from shared.plumbing.access.grants import GrantBook
from shared.plumbing.access.guard import StandingIn
from shared.plumbing.audit.trail import Audit
from shared.plumbing.database import Client, Database
from shared.plumbing.listening import Hearing
from shared.plumbing.relay import Relay
from shared.plumbing.settings import Settings
from shared.plumbing.standing import Standing

Chore: TypeAlias = tuple[float, Callable[[], Awaitable[object]]]
"""Seconds between two runs, and what to run."""


@dataclass
class Service:
    """Everything one process runs, as its composition root lists it."""

    name: str
    settings: Settings
    client: Client
    database: Database
    description: str = ""
    routers: Sequence[APIRouter] = ()
    hearings: Sequence[Hearing] = ()
    hears_types: dict[str, tuple[type[BaseModel], ...]] = field(default_factory=dict)
    """Topic → models of what is understood there, for the AsyncAPI document."""
    uploads: frozenset[str] = frozenset()
    """Paths that take files: their bodies may have `max_upload_bytes`."""
    relay: Relay | None = None
    standing: Standing | None = None
    """What must hold of the topics before the relay speaks and anything is listened to."""
    prepare: Sequence[Callable[[], Awaitable[None]]] = ()
    """Run once before HTTP answers: indexes and the like; must be safe to repeat."""
    chores: Sequence[Chore] = ()
    """What to run in the background; several may have the same time between two runs."""
    grants: GrantBook | None = None
    standing_in: StandingIn | None = None
    """Whose roles somebody takes over, where the service knows who holds which."""
    audit: Audit | None = None
    """What its callers read and were denied, and how far the chains of its journal go."""
    parked: Callable[[], Awaitable[int]] | None = None
    """How many records wait for a missing revision."""
    waiting: Callable[[int], Awaitable[list[dict[str, Any]]]] | None = None
    """At most so many of what is parked or early: state, type, waits_for, since."""
