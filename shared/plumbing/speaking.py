"""What every speaking service is made of: database, ledger, intake desk, relay, and the intake routes."""

import functools
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from shared.contracts.catalogue import CATALOGUE, dead_letters_topic, events_topic, watermarks_topic
from shared.plumbing import dead_letter_routes
from shared.plumbing.abandoned import end_former
from shared.plumbing.access import allowed, grant_routes
from shared.plumbing.access.grants import GrantBook
from shared.plumbing.access.guard import StandingIn
from shared.plumbing.app import Chore, Service
from shared.plumbing.audit.trail import open_audit
from shared.plumbing.clock import SystemClock
from shared.plumbing.cloudevents import read_http
from shared.plumbing.commands import prepare_commands
from shared.plumbing.database import open_client
from shared.plumbing.dead_letters import DeadLetters, Retrying
from shared.plumbing.identity import Identity
from shared.plumbing.intake import IntakeDesk, Understood
from shared.plumbing.journal import Ledger
from shared.plumbing.keyring import LOOK_AT_KEYS_EVERY_S, ServiceSeal, open_keyring
from shared.plumbing.listening import Hearing
from shared.plumbing.quarantine import prepare_quarantine
from shared.plumbing.relay import Relay
from shared.plumbing.settings import Settings, secret
from shared.plumbing.standing import Standing

SWEEP_EVERY_S = 2.0


class Speaking:
    """The parts of one speaking service, opened once."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.settings = settings
        self._lasting = None if settings.instance is None else f"{settings.database_prefix}{name}/{settings.instance}"
        self.client = open_client(settings.mongo, self._lasting or "manyi")
        self.database = self.client[f"{settings.database_prefix}{name}"]
        self.clock = SystemClock()
        self.identity = Identity(secret(settings.keys.installation_key))
        self.seal = ServiceSeal(settings)
        self.keyring = open_keyring(self.client, settings, self.seal)
        self.ledger = Ledger(self.client, self.database, self.keyring, self.clock, name)
        self.audit = open_audit(settings, self.database, self.clock, name)
        self.ledger.chains = self.audit.journal
        self.grants = GrantBook(self.database)
        self.relay = Relay(
            self.client,
            self.database,
            self.clock,
            kafka=settings.kafka,
            events_topic=events_topic(settings.topic_prefix, name),
            dead_letters_topic=dead_letters_topic(settings.topic_prefix),
            watermarks_topic=watermarks_topic(settings.topic_prefix),
            service=name,
            instance=settings.instance,
        )
        self._desk: IntakeDesk | None = None

    def intake_desk(self, understood: Sequence[Understood]) -> IntakeDesk:
        """The one desk that takes foreign events in, from the topic and over HTTP."""
        self._desk = IntakeDesk(
            self.ledger,
            self.identity,
            understood,
            shard=uuid.uuid4().hex[:8],
            max_dead_letters_in_a_row=self.settings.max_dead_letters_in_a_row,
        )
        return self._desk

    def service(
        self,
        *,
        description: str,
        routers: Sequence[APIRouter],
        hearings: Sequence[Hearing],
        hears_types: dict[str, tuple[type[BaseModel], ...]],
        prepare: Sequence[Callable[[], Awaitable[None]]] = (),
        chores: Sequence[Chore] = (),
        uploads: frozenset[str] = frozenset(),
        standing_in: StandingIn | None = None,
    ) -> Service:
        """All of it as a runnable service."""
        former = () if self._lasting is None else (functools.partial(end_former, self.client, self._lasting),)
        ready: list[Callable[[], Awaitable[None]]] = [
            *former,
            self.ledger.prepare,
            self.audit.prepare,
            self.grants.prepare,
            functools.partial(prepare_commands, self.ledger),
            functools.partial(prepare_quarantine, self.database),
            *prepare,
        ]
        repeated = [*chores, (LOOK_AT_KEYS_EVERY_S, self.seal.look_again)]
        takers: dict[str, Retrying] = {
            topic: hearing.listener
            for hearing in hearings
            for topic in hearing.topics
            if isinstance(hearing.listener, Retrying)
        }
        intake = []
        if self._desk is not None:
            ready.append(self._desk.prepare)
            repeated.append((SWEEP_EVERY_S, self._desk.sweep))
            intake.append(intake_routes(self._desk))
            takers["http"] = self._desk
        letters = DeadLetters(self.database, self.keyring, self.clock, self.name, takers)
        return Service(
            name=self.name,
            settings=self.settings,
            client=self.client,
            database=self.database,
            description=description,
            routers=[
                *routers,
                *intake,
                dead_letter_routes.routes(letters),
                grant_routes.routes(self.grants, self.audit),
            ],
            hearings=hearings,
            hears_types=hears_types,
            uploads=uploads,
            relay=self.relay,
            audit=self.audit,
            grants=self.grants,
            standing_in=standing_in,
            standing=self._standing(hearings),
            prepare=ready,
            chores=repeated,
            waiting=None if self._desk is None else self._desk.early,
        )

    def _standing(self, hearings: Sequence[Hearing]) -> Standing:
        """Guards our own events topic, and those of other services that we listen to."""
        events = {events_topic(self.settings.topic_prefix, entry.speaker) for entry in CATALOGUE.values()}
        heard = {topic for hearing in hearings for topic in hearing.topics if topic in events}
        spoken = events_topic(self.settings.topic_prefix, self.name)
        return Standing(
            self.database, self.settings.kafka, sorted({spoken, *heard}), spoken=(spoken, self.ledger.source)
        )


def intake_routes(desk: IntakeDesk) -> APIRouter:
    """CloudEvents over HTTP, and what became of the events of a source."""
    router = APIRouter(prefix="/v1/intake", tags=["intake"])

    @router.post(
        "",
        summary="Send CloudEvents: structured, binary or a batch; one receipt each",
        dependencies=[allowed("intake.send", topic="intake")],
    )
    async def post_intake(request: Request) -> dict[str, Any]:
        body = await request.body()
        events = read_http(request.headers, body)
        receipts = await desk.receive(events)
        return {"receipts": [vars(receipt) for receipt in receipts]}

    @router.get(
        "/receipts",
        summary="Counts by type and outcome of one source, and its latest rejects",
        dependencies=[allowed("intake.read", topic="intake")],
    )
    async def receipts(source: str) -> dict[str, Any]:
        return await desk.totals(source)

    return router
