"""Say that two files that look alike are not the same customer, or take that back, by HTTP (S2-15)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from services.customer.commands.acting import acting
from services.customer.commands.unmerge_customers import Undo
from services.customer.desk import STORED, Desk
from services.customer.model.customer import Customer
from services.customer.model.telling_apart import pair_id, pair_of, reconsider, tell_apart
from services.customer.views.duplicates import Dismissal, as_dismissal
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger, Loaded, Task
from shared.policy.approvals.acting import Acting

Rule = Callable[[Customer | None, Customer | None, str, str, datetime], list[Said]]


class TwoFiles(Undo):
    """Which two files, in any order, and why."""

    customer_id: Code
    other_id: Code


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """POST /v1/duplicates/dismissals and …/reconsiderations."""
    router = APIRouter(prefix="/v1/duplicates", tags=["duplicates"])

    async def carry(body: TwoFiles, rule: Rule, who: Acting, request: Asked) -> JSONResponse:
        first, second = pair_of(body.customer_id, body.other_id)
        name = pair_id(first, second)

        def decide(state: Customer | None, scene: Scene) -> Sequence[Said]:
            return rule(state, scene.others[second], who.person, body.reason, scene.now)

        def reply(loaded: Loaded[Customer]) -> dict[str, Any]:
            if loaded.state is None:
                raise ValueError("a rule that answered has a file")
            return as_dismissal(first, second, loaded.state.told_apart.get(name))

        others = ((STORED, second),)
        task = Task(STORED, first, decide, {"told_apart": frozenset({name})}, others, follow=False)
        return await carry_out(ledger, task, request, reply, status=200)

    @router.post(
        "/dismissals",
        response_model=Dismissal,
        summary="Say that two files are not the same customer, with the reason; remembered by every later scan",
        dependencies=[allowed("duplicate.scan")],
    )
    async def dismiss(
        body: TwoFiles, request: Annotated[Asked, Depends(asked)], who: Annotated[Acting, Depends(acting(desk))]
    ) -> JSONResponse:
        return await carry(body, tell_apart, who, request)

    @router.post(
        "/reconsiderations",
        response_model=Dismissal,
        summary="Take back that two files are not the same",
        dependencies=[allowed("duplicate.scan")],
    )
    async def take_back(
        body: TwoFiles, request: Annotated[Asked, Depends(asked)], who: Annotated[Acting, Depends(acting(desk))]
    ) -> JSONResponse:
        return await carry(body, reconsider, who, request)

    return router
