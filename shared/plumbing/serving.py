"""Serving a process over HTTP around what it runs."""

import asyncio
import contextlib
import gc
import ipaddress
import os
import sys
from collections.abc import AsyncIterator, Callable

import uvicorn
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from shared.plumbing import operations
from shared.plumbing.access.doors import Withholding, guarded
from shared.plumbing.access.guard import guard_for
from shared.plumbing.app import Service
from shared.plumbing.audit import routes as audit_routes
from shared.plumbing.closed_connections import tell_closed_connections
from shared.plumbing.one_write import WholeAnswers
from shared.plumbing.problems import PROBLEM_RESPONSES, StrictBodies, answer_problems
from shared.plumbing.running import VERSION, Running
from shared.plumbing.settings import Settings
from shared.plumbing.telemetry import configure_logging, logger
from shared.plumbing.tracing import Correlated
from shared.plumbing.watchdog import beat

log = logger("app")


def application(service: Service) -> FastAPI:
    """The ASGI application of a service; starting it starts the service."""
    running = Running(service)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            await running.start()
        except SystemExit as refusal:
            app.state.refusal = refusal.code  # uvicorn ends with a status of its own
            raise
        try:
            yield
        finally:
            await running.stop()

    app = FastAPIOffline(
        title=f"Manyi {service.name}",
        version=VERSION,
        description=service.description,
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # nobody listens: /metrics and the log do it
    )
    app.state.guard = guard_for(service.name, service.settings, service.grants, service.audit, service.standing_in)
    app.state.stopping = lambda: False
    app.state.refusal = None
    answer_problems(app)
    larger = dict.fromkeys(service.uploads, service.settings.max_upload_bytes)
    app.add_middleware(StrictBodies, max_bytes=service.settings.max_body_bytes, larger=larger)
    app.add_middleware(Withholding)
    app.add_middleware(Correlated)
    audited = [] if service.audit is None else [audit_routes.routes(service.database)]
    own = [guarded(route) for router in (*service.routers, *audited) for route in router.routes]
    for route in own:
        route.responses = PROBLEM_RESPONSES | route.responses
    # One list instead of a router for each: a path is looked for in it once, and what is asked most stands first.
    app.router.routes[:0] = [*own, *(guarded(route) for route in operations.routes(running).routes)]
    return app


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

    What is there when it begins to serve is never looked through for garbage: it stays. Who refuses to start with a
    sentence ends with EX_CONFIG: starting again does not help before somebody has done something.
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
            http=WholeAnswers,
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
        except SystemExit as end:
            raise SystemExit(app.state.refusal or end.code) from None
        finally:
            beating.cancel()

    # uvicorn raises the signal again once it has drained; a stop on request is not a failure.
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            runner.run(run())
        except SystemExit as end:
            if isinstance(end.code, str):
                print(f"error: {end.code}", file=sys.stderr, flush=True)  # for who started us, as a sentence
                raise SystemExit(os.EX_CONFIG) from None
            raise


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    tell_closed_connections()
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
