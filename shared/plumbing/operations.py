"""What operators ask every service alike."""

from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.plumbing.access import allowed, everyone
from shared.plumbing.problems import PROBLEM_RESPONSES
from shared.plumbing.running import Running


def routes(running: Running) -> APIRouter:
    """Health, readiness, numbers and the AsyncAPI document."""
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
