"""Grant terms that a customer is entitled to, use them once, revoke them, by HTTP (S3-16, S3-21)."""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field

from services.customer.commands.acting import acting
from services.customer.desk import STORED, Desk
from services.customer.model.customer import Customer
from services.customer.model.entitlements import Eligible, Terms, grant, revoke, use
from services.customer.views.entitlements import ShownEntitlement, as_entitlement
from shared.contracts.decision import Said, Scene
from shared.contracts.entitlements import EntitlementKind
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.bodies import Body
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger, Task
from shared.policy.approvals.acting import Acting

Reason = Annotated[str, Field(min_length=1, max_length=2_000)]
Step = Callable[[Customer | None, datetime], list[Said]]


class GrantEntitlement(Body):
    """What is granted, and why; how much and how long is the policy's."""

    kind: EntitlementKind
    reason: Reason = Field(examples=["三年无逾期付款"])


class UseEntitlement(Body):
    """For what; an order number of another system stays here, sealed."""

    used_for: Annotated[str, Field(max_length=200)] | None = Field(None, examples=["SO-2026-118"])


class RevokeEntitlement(Body):
    """Why."""

    reason: Reason = Field(examples=["信用已下调"])


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """POST below /v1/customers/{customer_id}/entitlements."""
    router = APIRouter(prefix="/v1/customers/{customer_id}/entitlements", tags=["entitlements"])

    async def settle(customer_id: str, entitlement_id: str, step: Step, request: Asked) -> JSONResponse:
        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            return step(state, scene.now)

        # Granted terms stay in the file they were granted in, also when it is merged into another.
        task = Task(STORED, customer_id, rule, {"entitlements": frozenset({entitlement_id})}, follow=False)
        return await carry_out(ledger, task, request, partial(as_entitlement, desk, entitlement_id), status=200)

    @router.post(
        "",
        status_code=201,
        response_model=ShownEntitlement,
        summary="Grant better terms, or a reward",
        dependencies=[allowed("entitlement.grant", rows=True)],
    )
    async def grant_entitlement(
        customer_id: Code,
        body: GrantEntitlement,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        entitlement_id = uuid.uuid4().hex

        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            on = desk.day(scene.now)
            terms = Terms.of(desk.policies, body.kind, on)
            eligible = Eligible.of(desk.policies, on)
            return grant(
                state, customer_id, entitlement_id, terms, who.person, body.reason, eligible, scene.now, desk.zone
            )

        task = Task(STORED, customer_id, rule, whole=frozenset({"entitlements"}), follow=False)
        return await carry_out(ledger, task, request, partial(as_entitlement, desk, entitlement_id))

    @router.post(
        "/{entitlement_id}/use",
        response_model=ShownEntitlement,
        summary="Use it, once",
        dependencies=[allowed("entitlement.use", rows=True)],
    )
    async def use_entitlement(
        customer_id: Code, entitlement_id: Code, body: UseEntitlement, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        def step(state: Customer | None, now: datetime) -> list[Said]:
            return use(state, entitlement_id, body.used_for, now)

        return await settle(customer_id, entitlement_id, step, request)

    @router.post(
        "/{entitlement_id}/revocation",
        response_model=ShownEntitlement,
        summary="Take it back",
        dependencies=[allowed("entitlement.grant", rows=True)],
    )
    async def revoke_entitlement(
        customer_id: Code, entitlement_id: Code, body: RevokeEntitlement, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        def step(state: Customer | None, now: datetime) -> list[Said]:
            return revoke(state, entitlement_id, body.reason, now)

        return await settle(customer_id, entitlement_id, step, request)

    return router
