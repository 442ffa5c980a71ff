"""Dead letters over HTTP, alike in every service."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from shared.plumbing.access import Caller, allowed, caller
from shared.plumbing.dead_letters import DeadLetters

MOST_A_PAGE = 1_000


class Discard(BaseModel):
    """Why a record is given up; kept with the verdict, sealed."""

    model_config = ConfigDict(extra="forbid")
    reason: Annotated[str, Field(min_length=1, max_length=1_000)] = Field(examples=["测试数据，来源系统已确认"])


def routes(letters: DeadLetters) -> APIRouter:
    """List, show, retry, discard. A letter's id is its place: topic/partition/offset."""
    router = APIRouter(prefix="/v1/dead-letters", tags=["operations"])

    @router.get(
        "",
        summary="Records that were set aside, the oldest first, without their payload",
        dependencies=[allowed("operations.inspect")],
    )
    async def page(
        settled: Annotated[bool, Query(description="those retried or discarded, instead of the open ones")] = False,
        topic: Annotated[str | None, Query(description="only of this topic; `http`: posted to the intake")] = None,
        after: Annotated[str | None, Query(description="`next` of the page before")] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_A_PAGE)] = 100,
    ) -> dict[str, Any]:
        return await letters.page(settled=settled, topic=topic, after=after, limit=limit)

    @router.get(
        "/{place:path}",
        summary="One of them; with payload=true also the record, which may hold personal data",
        dependencies=[allowed("operations.inspect")],
    )
    async def one(place: str, who: Annotated[Caller, Depends(caller)], payload: bool = False) -> dict[str, Any]:
        return await letters.one(place, payload=payload, actor=who.actor)

    @router.post(
        "/{place:path}/retry",
        summary="Have it taken again, on the normal path; counts once",
        dependencies=[allowed("operations.settle")],
    )
    async def retry(place: str, who: Annotated[Caller, Depends(caller)]) -> dict[str, Any]:
        return await letters.retry(place, who.actor)

    @router.post(
        "/{place:path}/discard",
        summary="Give it up for ever; the reason is kept, the payload is not",
        dependencies=[allowed("operations.settle")],
    )
    async def discard(place: str, body: Discard, who: Annotated[Caller, Depends(caller)]) -> dict[str, Any]:
        return await letters.discard(place, body.reason, who.actor)

    return router
