"""Launch a service, weigh it, retire it, by HTTP (S3-18)."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field

from services.customer.desk import Desk
from services.customer.model.service_items import Review, ServiceItem, launch, retire, weigh
from services.customer.views.service_items import ITEMS, ShownItem, as_item
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code
from shared.contracts.service_items import Score
from shared.plumbing.access import allowed
from shared.plumbing.bodies import Body
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger, Task

Rule = Callable[[ServiceItem | None, Scene], Sequence[Said]]


class LaunchItem(Body):
    """A service by a code of ours; `replaces` is the id of the one it takes the place of."""

    code: Code = Field(examples=["on-site-calibration"])
    title: Annotated[str, Field(min_length=1, max_length=200)] = Field(examples=["上门校准"])
    product_line: Code | None = None
    replaces: Code | None = None


class WeighItem(Body):
    """How good it is, 0 to 100."""

    score: Score


class RetireItem(Body):
    """Why, as a code."""

    reason: Code = Field(examples=["low_score"])


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """POST /v1/service-items, …/scores and …/retirement."""
    router = APIRouter(prefix="/v1/service-items", tags=["service items"])

    async def carry(item_id: str, rule: Rule, request: Asked, status: int = 200) -> JSONResponse:
        return await carry_out(ledger, Task(ITEMS, item_id, rule), request, partial(as_item, desk), status)

    @router.post(
        "",
        status_code=201,
        response_model=ShownItem,
        summary="Offer a service",
        dependencies=[allowed("service_item.write")],
    )
    async def post_item(body: LaunchItem, request: Annotated[Asked, Depends(asked)]) -> JSONResponse:
        item_id = desk.identity.of("service item", "manyi", body.code)
        about = body.model_dump(include={"title", "product_line", "replaces"})

        def rule(state: ServiceItem | None, scene: Scene) -> Sequence[Said]:
            review = Review.of(desk.policies, desk.day(scene.now))
            return launch(state, item_id, body.code, about, review, scene.now)

        return await carry(item_id, rule, request, 201)

    @router.post(
        "/{item_id}/scores",
        response_model=ShownItem,
        summary="Note how good a service is, and keep it until the next review",
        dependencies=[allowed("service_item.write")],
    )
    async def post_score(item_id: Code, body: WeighItem, request: Annotated[Asked, Depends(asked)]) -> JSONResponse:
        def rule(state: ServiceItem | None, scene: Scene) -> Sequence[Said]:
            return weigh(state, item_id, body.score, Review.of(desk.policies, desk.day(scene.now)), scene.now)

        return await carry(item_id, rule, request)

    @router.post(
        "/{item_id}/retirement",
        response_model=ShownItem,
        summary="Offer a service no longer",
        dependencies=[allowed("service_item.write")],
    )
    async def post_retirement(
        item_id: Code, body: RetireItem, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        def rule(state: ServiceItem | None, scene: Scene) -> Sequence[Said]:
            return retire(state, item_id, body.reason, scene.now)

        return await carry(item_id, rule, request)

    return router
