"""Save rules that choose customers, and try one out before, by HTTP (S2-06)."""

import uuid
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field

from services.customer.model.choosing_rule import BoundedRule
from services.customer.model.segments import Segment, drop, kept, save
from services.customer.views.customer_file import Shown
from services.customer.views.segments import SEGMENTS, ShownSegment, as_segment, members
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.bodies import Body
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger, Task


class TryRule(Body):
    """A rule."""

    rule: BoundedRule = Field(examples=[{"all": [{"field": "grade", "in": ["A"]}, {"field": "keyMark", "is": True}]}])


class SaveSegment(TryRule):
    """A rule and its name."""

    name: Annotated[str, Field(min_length=1, max_length=200)] = Field(examples=["华东A级客户"])


class Preview(Shown):
    """How many customers the rule chooses now."""

    customers: int


def routes(ledger: Ledger) -> APIRouter:
    """POST and PUT below /v1/segments."""
    router = APIRouter(prefix="/v1/segments", tags=["segments"])

    async def keep(segment_id: str, body: SaveSegment, request: Asked, new: bool) -> JSONResponse:
        def rule(state: Segment | None, scene: Scene) -> Sequence[Said]:
            if not new:
                kept(state, segment_id)
            return save(state, segment_id, body.name, body.rule, scene.now)

        return await carry_out(ledger, Task(SEGMENTS, segment_id, rule), request, as_segment, 201 if new else 200)

    @router.post(
        "",
        status_code=201,
        response_model=ShownSegment,
        summary="Save a rule that chooses customers",
        dependencies=[allowed("segment.write")],
    )
    async def post_segment(body: SaveSegment, request: Annotated[Asked, Depends(asked)]) -> JSONResponse:
        return await keep(uuid.uuid4().hex, body, request, new=True)

    @router.put(
        "/{segment_id}",
        response_model=ShownSegment,
        summary="Save another rule in its place",
        dependencies=[allowed("segment.write")],
    )
    async def put_segment(
        segment_id: Code, body: SaveSegment, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        return await keep(segment_id, body, request, new=False)

    @router.post(
        "/{segment_id}/drop",
        response_model=ShownSegment,
        summary="Use a segment no longer",
        dependencies=[allowed("segment.write")],
    )
    async def post_drop(segment_id: Code, request: Annotated[Asked, Depends(asked)]) -> JSONResponse:
        def rule(state: Segment | None, scene: Scene) -> Sequence[Said]:
            return drop(state, segment_id, scene.now)

        return await carry_out(ledger, Task(SEGMENTS, segment_id, rule), request, as_segment, status=200)

    @router.post(
        "/preview",
        summary="How many customers a rule would choose; nothing is saved",
        dependencies=[allowed("segment.write")],
    )
    async def preview(body: TryRule) -> Preview:
        chosen = members(body.rule, ledger.clock.now())
        return Preview(customers=await ledger.database["customers"].count_documents(chosen))

    return router
