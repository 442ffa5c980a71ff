"""Enter who holds which post, who leaves one and who stands in for whom, by HTTP (S0-13, S0-16, S0-20)."""

import uuid
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field

from services.customer.commands.acting import acting
from services.customer.commands.decide_request import Reason
from services.customer.desk import Desk
from services.customer.model.posts import leave_post, take_post
from services.customer.model.staff import Staff, StandingIn, existing
from services.customer.model.substitutes import arrange_substitute, dismiss_substitute
from services.customer.staffing import STORED
from services.customer.views.organisation import ShownStaff, as_staff
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code, Moment
from shared.plumbing.access import allowed
from shared.plumbing.bodies import Body
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger, Loaded, Task
from shared.policy.approvals.acting import Acting
from shared.policy.chart import Holder


class Post(Body):
    """A role in a department or team of the policy, from now on or since some time."""

    role: Code = Field(examples=["group_leader"])
    unit: Code = Field(examples=["customer_data_team"])
    since: Moment | None = None


class Substitute(Body):
    """Who takes which role over, from when until when; the reason stays here, sealed."""

    substitute: Code = Field(examples=["u-17"])
    role: Code = Field(examples=["director"])
    since: Moment | None = None
    until: Moment
    reason: Reason | None = Field(None, examples=["休假"])


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """POST …/posts, …/posts/{post_id}/end, …/substitutions and …/substitutions/{id}/end below /v1/staff/{staff_id}."""
    router = APIRouter(prefix="/v1/staff/{staff_id}", tags=["staff"])

    @router.post(
        "/posts",
        status_code=201,
        response_model=ShownStaff,
        response_model_exclude_none=True,
        summary="Somebody holds a post",
        dependencies=[allowed("staff.assign", rows=True)],
    )
    async def post_post(
        staff_id: Code,
        body: Post,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        post_id, wanted = uuid.uuid4().hex, Holder(staff_id, body.role, body.unit)

        def rule(state: Staff | None, scene: Scene) -> Sequence[Said]:
            day, now = desk.day(scene.now), scene.now
            return take_post(state, post_id, wanted, body.since or now, who.person, desk.policies, day, now)

        return await carry_out(ledger, Task(STORED, staff_id, rule), request, _shown)

    @router.post(
        "/posts/{post_id}/end",
        response_model=ShownStaff,
        summary="Somebody leaves a post",
        dependencies=[allowed("staff.assign", rows=True)],
    )
    async def end_post(staff_id: Code, post_id: Code, request: Annotated[Asked, Depends(asked)]) -> JSONResponse:
        def rule(state: Staff | None, scene: Scene) -> Sequence[Said]:
            return leave_post(state, post_id, scene.now)

        return await carry_out(ledger, Task(STORED, staff_id, rule), request, _shown, status=200)

    @router.post(
        "/substitutions",
        status_code=201,
        response_model=ShownStaff,
        summary="Somebody stands in for this one, for a time",
        dependencies=[allowed("staff.substitute", rows=True)],
    )
    async def post_substitution(
        staff_id: Code,
        body: Substitute,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        substitution_id = uuid.uuid4().hex

        def rule(state: Staff | None, scene: Scene) -> Sequence[Said]:
            since = body.since or scene.now
            told = StandingIn(
                substitution_id=substitution_id, since=since, **body.model_dump(exclude={"since", "reason"})
            )
            return arrange_substitute(state, told, who.person, scene.now, body.reason)

        return await carry_out(ledger, Task(STORED, staff_id, rule), request, _shown)

    @router.post(
        "/substitutions/{substitution_id}/end",
        response_model=ShownStaff,
        summary="End a substitution before its time",
        dependencies=[allowed("staff.substitute", rows=True)],
    )
    async def end_substitution(
        staff_id: Code, substitution_id: Code, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        def rule(state: Staff | None, scene: Scene) -> Sequence[Said]:
            return dismiss_substitute(state, substitution_id, scene.now)

        return await carry_out(ledger, Task(STORED, staff_id, rule), request, _shown, status=200)

    return router


def _shown(loaded: Loaded[Staff]) -> dict[str, Any]:
    return as_staff(existing(loaded.state)).model_dump(mode="json", by_alias=True, exclude_none=True)
