"""One service process: HTTP, subscriptions, relay and health around what a service's `main.py` lists.

Order of a start: database and indexes, then HTTP; Kafka is joined in the background and rejoined after an outage, so
that HTTP never waits for it. A stop drains: no new batch, the one in hand finishes, the lease is given up.
"""

import asyncio
import contextlib
import gc
import ipaddress
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, TypeAlias

import uvicorn
from aiokafka.errors import KafkaError
from fastapi import APIRouter, Depends, FastAPI, Response
from fastapi_offline import FastAPIOffline
from faststream.kafka import KafkaBroker
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from pymongo.errors import PyMongoError

from shared.plumbing.access import allowed, everyone
from shared.plumbing.access.doors import Withholding, gate
from shared.plumbing.access.grants import GrantBook
from shared.plumbing.access.guard import guard_for
from shared.plumbing.asyncapi import describe
from shared.plumbing.audit import routes as audit_routes
from shared.plumbing.audit.checkpoints import Checkpoints
from shared.plumbing.audit.trail import Audit
from shared.plumbing.closed_connections import tell_closed_connections
from shared.plumbing.database import Client, Database
from shared.plumbing.listening import Hearing, listen
from shared.plumbing.logs import LogBroken
from shared.plumbing.problems import PROBLEM_RESPONSES, StrictBodies, answer_problems
from shared.plumbing.quarantine import open_letters
from shared.plumbing.relay import Relay
from shared.plumbing.settings import Settings
from shared.plumbing.standing import Standing
from shared.plumbing.telemetry import SET_ASIDE, configure_logging, logger
from shared.plumbing.tracing import Correlated
from shared.plumbing.undisturbed import undisturbed
from shared.plumbing.watchdog import beat, look_every, watch_hearing, watch_relay

VERSION = "0.1.0"
GAUGE_EVERY_S = 5.0
MOST_SHOWN = 20
"""Parked and early records that health names one by one."""
CHECKPOINT_EVERY_S = 10.0
LOOK_AT_TOPICS_EVERY_S = 30.0
LAG_WITHIN_S = 3.0
"""The client would wait for a broker that is away; health answers without its number instead."""
Chore: TypeAlias = tuple[float, Callable[[], Awaitable[object]]]
"""Seconds between two runs, and what to run."""
log = logger("app")


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
    audit: Audit | None = None
    """What its callers read and were denied, and how far the chains of its journal go."""
    parked: Callable[[], Awaitable[int]] | None = None
    """How many records wait for a missing revision."""
    waiting: Callable[[int], Awaitable[list[dict[str, Any]]]] | None = None
    """At most so many of what is parked or early: state, type, waits_for, since."""


class Running:
    """The moving parts of a started service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.broker = KafkaBroker(
            service.settings.kafka,
            client_id=f"manyi-{service.name}",
            allow_auto_create_topics=False,
            logger=None,
            graceful_timeout=15,
        )
        for hearing in service.hearings:
            listen(
                self.broker,
                hearing,
                group_prefix=service.settings.topic_prefix,
                batch_records=service.settings.batch_records,
                batch_wait_ms=service.settings.batch_wait_ms,
                instance=service.settings.instance,
            )
        self.listening = not service.hearings
        folder = service.settings.checkpoints
        self.checkpoints = None if service.audit is None or folder is None else Checkpoints(service.audit, folder)
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        for prepare in self.service.prepare:
            await prepare()
        self._spawn(self._join_kafka())
        for seconds, chore in self.service.chores:
            self._spawn(self._repeat(seconds, chore))
        stuck_after_s = self.service.settings.stuck_after_s
        for hearing in self.service.hearings:
            self._spawn(self._repeat(look_every(stuck_after_s), partial(watch_hearing, hearing, stuck_after_s)))
        if self.service.relay is not None:
            watch = partial(watch_relay, self.service.relay, self.service.client, stuck_after_s)
            self._spawn(self._repeat(look_every(stuck_after_s), watch))
        self._spawn(self._repeat(GAUGE_EVERY_S, self._gauge))
        if self.checkpoints is not None:
            self._spawn(self._repeat(CHECKPOINT_EVERY_S, self.checkpoints.write))

    async def stop(self) -> None:
        for hearing in self.service.hearings:
            hearing.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.broker.stop()
        if self.checkpoints is not None:
            with contextlib.suppress(OSError):
                await self.checkpoints.write()
        if self.service.relay is not None:
            with contextlib.suppress(PyMongoError):
                await self.service.relay.release()
        await self.service.client.close()

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A background task never ends by itself: if one does, the process is no use and says so by exiting."""
        if task.cancelled() or task.exception() is None:
            return
        if isinstance(task.exception(), LogBroken):
            log.critical("refuses to go on", error=str(task.exception()))
            print(f"error: {task.exception()}", file=sys.stderr, flush=True)  # for who started us, as a sentence
            os._exit(os.EX_CONFIG)  # starting again does not help before somebody has done something
        log.critical("background task failed, exiting", exc_info=task.exception())
        os._exit(70)

    async def _join_kafka(self) -> None:
        """Speak and listen, once Kafka answers and its topics are what they were. Raises LogBroken."""
        await self._topics_stand()
        if self.service.relay is not None:
            self._spawn(self.service.relay.run())
        while not self.listening:
            try:
                await undisturbed(self.broker.start())
                self.listening = True
            except (KafkaError, OSError) as error:
                log.warning("Kafka cannot be joined yet", error=f"{type(error).__name__}: {error}")
                await self.broker.stop()
                await asyncio.sleep(1.0)

    async def _topics_stand(self) -> None:
        standing = self.service.standing
        while standing is not None:
            try:
                await standing.check()
            except (PyMongoError, KafkaError, OSError) as error:
                log.warning("the topics cannot be looked at yet", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(1.0)
            else:
                self._spawn(self._repeat(LOOK_AT_TOPICS_EVERY_S, standing.look))
                return

    async def _repeat(self, seconds: float, chore: Callable[[], Awaitable[object]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await chore()
            except (PyMongoError, KafkaError, OSError) as error:
                log.warning("chore failed, will run again", error=f"{type(error).__name__}: {error}")

    async def _gauge(self) -> None:
        for state, count in (await self.set_aside()).items():
            SET_ASIDE.labels(state).set(count)

    async def checks(self) -> dict[str, str]:
        """What readiness depends on: name → `ok` or what is wrong."""
        found: dict[str, str] = {}
        try:
            await self.service.client.admin.command("ping")
            found["mongo"] = "ok"
        except PyMongoError as error:
            found["mongo"] = f"{type(error).__name__}"
        found["kafka"] = "ok" if self.listening else "not joined yet"
        for hearing in self.service.hearings:
            found[hearing.group] = hearing.failing or "ok"
            if hearing.silent_for() > self.service.settings.stuck_after_s / 2:
                found[hearing.group] = "records wait, none is taken"
        if self.service.relay is not None and self.service.relay.failing is not None:
            found["relay"] = self.service.relay.failing
        return found

    async def set_aside(self) -> dict[str, int]:
        """Records that are in no number yet: dead letters, parked (a revision is missing), early ones."""
        database = self.service.database
        return {
            "dead_letters": await open_letters(database),
            "parked": await self.service.parked() if self.service.parked else 0,
            "early": await database["early"].estimated_document_count(),
        }

    async def health(self) -> dict[str, Any]:
        """The numbers `manyi status` adds up."""
        lag: dict[str, int | None] = {}
        for hearing in self.service.hearings:
            try:
                async with asyncio.timeout(LAG_WITHIN_S):
                    lag[hearing.group] = await hearing.lag() if self.listening else None
            except (KafkaError, OSError):
                lag[hearing.group] = None
        if self.service.relay is not None:
            lag["relay"] = self.service.relay.backlog
        return {
            "service": self.service.name,
            "version": VERSION,
            "ready": all(state == "ok" for state in (await self.checks()).values()),
            "lag": lag,
            **await self.set_aside(),
            "waiting": await self.service.waiting(MOST_SHOWN) if self.service.waiting else [],
        }

    @cached_property
    def asyncapi(self) -> dict[str, Any]:
        """AsyncAPI 3.0 document of every event this service says and every type it takes in; seconds of work, once."""
        service = self.service
        return describe(service.name, VERSION, service.settings.topic_prefix, service.hears_types)


def application(service: Service) -> FastAPI:
    """The ASGI application of a service; starting it starts the service."""
    running = Running(service)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await running.start()
        try:
            yield
        finally:
            await running.stop()

    app = FastAPIOffline(
        title=f"Manyi {service.name}",
        version=VERSION,
        description=service.description,
        lifespan=lifespan,
    )
    app.state.guard = guard_for(service.name, service.settings, service.grants)
    app.state.stopping = lambda: False
    app.state.audit = service.audit
    answer_problems(app)
    larger = dict.fromkeys(service.uploads, service.settings.max_upload_bytes)
    app.add_middleware(StrictBodies, max_bytes=service.settings.max_body_bytes, larger=larger)
    app.add_middleware(Withholding)
    app.add_middleware(Correlated)
    guarded = [Depends(gate)]
    app.include_router(_operations(running), dependencies=guarded)
    audited = [] if service.audit is None else [audit_routes.routes(service.database)]
    for router in (*service.routers, *audited):
        app.include_router(router, responses=PROBLEM_RESPONSES, dependencies=guarded)
    return app


def _operations(running: Running) -> APIRouter:
    """What operators ask every service alike."""
    router = APIRouter(tags=["operations"])

    @router.get("/livez", summary="The process is alive", dependencies=[everyone])
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @router.get(
        "/readyz",
        summary="Database and Kafka are reached and records are being taken",
        responses={503: {"description": "Not ready; `checks` says why"}},
        dependencies=[everyone],
    )
    async def readyz(response: Response) -> dict[str, Any]:
        checks = await running.checks()
        ready = all(state == "ok" for state in checks.values())
        response.status_code = 200 if ready else 503
        # Shown, but no reason to take a process out of service: any other one would have them set aside as well.
        set_aside = await running.set_aside() if checks["mongo"] == "ok" else None
        return {"ready": ready, "checks": checks, "set_aside": set_aside}

    @router.get(
        "/v1/health",
        summary="Lag by consumer group, dead letters, parked and early records, and some of these",
        dependencies=[allowed("operations.read")],
        responses=PROBLEM_RESPONSES,
    )
    async def health() -> dict[str, Any]:
        return await running.health()

    @router.get("/asyncapi.json", summary="Every event said and taken in, as AsyncAPI 3.0", dependencies=[everyone])
    async def asyncapi() -> dict[str, Any]:
        return running.asyncapi

    @router.get("/metrics", include_in_schema=False, dependencies=[allowed("operations.read")])
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


def refuse_open_doors(settings: Settings) -> None:
    """Without authentication only this machine may ask. Raises SystemExit for any other address."""
    if settings.jwks is not None:
        return
    try:
        loopback = ipaddress.ip_address(settings.host).is_loopback
    except ValueError:
        loopback = settings.host == "localhost"
    if loopback:
        return
    if not settings.insecure:
        raise SystemExit(
            f"refusing to listen on {settings.host}: no authentication is configured, so only the loopback interface "
            "is allowed; name a token issuer with MANYI_OIDC_ISSUER, MANYI_OIDC_AUDIENCE and MANYI_JWKS, or set "
            "MANYI_INSECURE=1 to override (anyone who reaches the port may then read and write)"
        )
    log.warning("listening without authentication beyond the loopback interface", host=settings.host)


def serve(build: Callable[[Settings], Service]) -> None:
    """Run one service until it is told to stop; `build` is called inside the running loop.

    What is there when it begins to serve is never looked through for garbage: it stays.
    """

    async def run() -> None:
        settings = Settings()
        service = build(settings)
        configure_logging(settings.log_level, service.name)
        refuse_open_doors(settings)
        app = application(service)
        gc.freeze()
        gc.enable()
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=10,
            timeout_keep_alive=30,
        )
        server = uvicorn.Server(config)
        # Answers without an end (streams) must see for themselves that they are to end.
        app.state.stopping = lambda: server.should_exit
        beating = asyncio.create_task(beat(settings.stuck_after_s))
        try:
            await server.serve()
        finally:
            beating.cancel()

    # uvicorn raises the signal again once it has drained; a stop on request is not a failure.
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(run())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    tell_closed_connections()
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
