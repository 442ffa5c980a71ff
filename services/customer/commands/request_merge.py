"""Ask for a merge of two files, decide on it, correct it or take it back, by HTTP (S2-15)."""

import uuid
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from services.customer.commands.acting import acting
from services.customer.commands.decide_request import Decision, Withdrawal
from services.customer.commands.unmerge_customers import BUSINESS, Undo
from services.customer.desk import STORED, Desk
from services.customer.model.customer import Customer
from services.customer.model.merge_requests import MergeUnknown, ask, ask_again, decide, follow, withdraw
from services.customer.views.merges import ShownMerge, as_merge
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger, Loaded, Task
from shared.policy.approvals.acting import Acting


class Merge(Undo):
    """Which file survives, which becomes part of it, and why."""

    survivor_id: Code
    merged_id: Code


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """POST below /v1/merges."""
    router = APIRouter(prefix="/v1/merges", tags=["merges"])

    async def files_of(merge_id: str) -> tuple[str, str]:
        found = await ledger.database["merge_requests"].find_one({"_id": merge_id}, {"owner": 1, "merged_id": 1})
        if found is None:
            raise MergeUnknown(f"there is no merge {merge_id}; GET /v1/merges lists them")
        return found["owner"], found["merged_id"]

    @router.post(
        "",
        status_code=201,
        response_model=ShownMerge,
        summary="Ask to make one file of two; nothing moves yet",
        dependencies=[allowed("merge.request", rows=True)],
    )
    async def post_merge(
        body: Merge, request: Annotated[Asked, Depends(asked)], who: Annotated[Acting, Depends(acting(desk))]
    ) -> JSONResponse:
        merge_id = uuid.uuid4().hex

        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            other = state if body.merged_id == body.survivor_id else scene.others[body.merged_id]
            day = desk.day(scene.now)
            return ask(state, other, merge_id, body.reason, who, desk.policies, day, scene.now)

        both = _both(body.survivor_id, body.merged_id)
        task = Task(STORED, body.survivor_id, rule, others=both, follow=False, rows=both)
        return await carry_out(ledger, task, request, lambda one: _shown(merge_id, one))

    @router.post(
        "/{merge_id}/decisions",
        response_model=ShownMerge,
        summary="Approve, reject or return the waiting step; the last approval merges",
        dependencies=[allowed("merge.approve", rows=True)],
    )
    async def decide_merge(
        merge_id: Code,
        body: Decision,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        survivor, merged = await files_of(merge_id)
        step = (body.step, body.cycle)

        def first(state: Customer | None, scene: Scene) -> Sequence[Said]:
            return decide(state, scene.others[merged], merge_id, who, body.decision, step, body.reason, scene.now)

        def second(state: Customer | None, scene: Scene) -> Sequence[Said]:
            return follow(scene.others[survivor], state, merge_id, scene.now)

        both, needed = _both(survivor, merged), {"merge_requests": frozenset({merge_id})}
        task = Task(STORED, survivor, first, needed, both, whole=BUSINESS, follow=False, rows=both)
        then = Task(STORED, merged, second, others=both, whole=BUSINESS, follow=False, rows=both)
        return await carry_out(ledger, task, request, lambda one: _shown(merge_id, one), status=200, also=[then])

    @router.post(
        "/{merge_id}/resubmission",
        response_model=ShownMerge,
        summary="Send a returned request again, better reasoned",
        dependencies=[allowed("merge.request", rows=True)],
    )
    async def correct_merge(
        merge_id: Code,
        body: Undo,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            return ask_again(state, merge_id, body.reason, who, desk.policies, desk.day(scene.now), scene.now)

        both, needed = _both(*await files_of(merge_id)), {"merge_requests": frozenset({merge_id})}
        task = Task(STORED, both[0][1], rule, needed, both, follow=False, rows=both)
        return await carry_out(ledger, task, request, lambda one: _shown(merge_id, one), status=200)

    @router.post(
        "/{merge_id}/withdrawal",
        response_model=ShownMerge,
        summary="Take a request back before it is decided",
        dependencies=[allowed("merge.request", rows=True)],
    )
    async def withdraw_merge(
        merge_id: Code,
        body: Withdrawal,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            return withdraw(state, merge_id, who, body.reason, scene.now)

        survivor, _ = await files_of(merge_id)
        task = Task(STORED, survivor, rule, {"merge_requests": frozenset({merge_id})}, follow=False)
        return await carry_out(ledger, task, request, lambda one: _shown(merge_id, one), status=200)

    return router


def _both(survivor: str, merged: str) -> tuple[tuple[Any, str], ...]:
    return tuple((STORED, one) for one in dict.fromkeys((survivor, merged)))


def _shown(merge_id: str, loaded: Loaded[Customer]) -> dict[str, Any]:
    if loaded.state is None:
        raise ValueError("a rule that answered has a file")
    state = loaded.state
    shown = as_merge(state.customer_id, merge_id, state.merge_requests[merge_id], "full")
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)
