"""Ask for a change of key fields, and decide on it, by HTTP (S2-19)."""

import uuid
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from services.customer.commands.acting import acting
from services.customer.commands.register_customer import CustomerFields
from services.customer.desk import STORED, Desk, at_home
from services.customer.model.customer import Customer
from services.customer.model.key_changes import ask, decide
from services.customer.views.customer_file import Shown
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code, Moment
from shared.plumbing.access import allowed
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger, Loaded, Task
from shared.policy.approvals.acting import Acting


class Decision(BaseModel):
    """Yes or no to the step that was looked at; a no needs its reason."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True)
    decision: Literal["approve", "reject"]
    step: Annotated[int, Field(ge=0)]
    cycle: Annotated[int, Field(ge=1)] = 1
    reason: Annotated[str, Field(max_length=2_000)] | None = None


class ShownKeyChange(Shown):
    """A request as it stands: which fields, who decides the waiting step, until when."""

    request_id: str
    fields: list[str]
    status: str
    step: int
    cycle: int
    waiting_for: str | None = None
    due_at: Moment | None = None


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """POST below /v1/customers/{customer_id}/key-changes."""
    router = APIRouter(prefix="/v1/customers/{customer_id}/key-changes", tags=["key changes"])

    @router.post(
        "",
        status_code=201,
        response_model=ShownKeyChange,
        summary="Ask to change key fields; the old values stay in force",
        dependencies=[allowed("keychange.request", rows=True)],
    )
    async def request_change(
        customer_id: Code,
        body: CustomerFields,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        fields: dict[str, Any] = body.model_dump(exclude_unset=True)
        request_id = uuid.uuid4().hex

        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            at_home(customer_id, scene.now, state)
            desk.filing(scene.now).check(fields)
            if state is None:
                return []
            return ask(state, request_id, fields, who, desk.policies, desk.day(scene.now), scene.now)

        return await carry_out(ledger, Task(STORED, customer_id, rule), request, lambda one: _shown(request_id, one))

    @router.post(
        "/{request_id}/decisions",
        response_model=ShownKeyChange,
        summary="Approve or reject the waiting step",
        dependencies=[allowed("keychange.approve", rows=True)],
    )
    async def decide_change(
        customer_id: Code,
        request_id: Code,
        body: Decision,
        request: Annotated[Asked, Depends(asked)],
        who: Annotated[Acting, Depends(acting(desk))],
    ) -> JSONResponse:
        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            about = at_home(customer_id, scene.now, state)
            agreed, step = body.decision == "approve", (body.step, body.cycle)
            return [] if state is None else decide(state, about, request_id, who, agreed, step, body.reason)

        task = Task(STORED, customer_id, rule, {"key_changes": frozenset({request_id})})
        return await carry_out(ledger, task, request, lambda one: _shown(request_id, one), status=200)

    return router


def _shown(request_id: str, loaded: Loaded[Customer]) -> dict[str, Any]:
    if loaded.state is None:
        raise ValueError("a rule that answered has a file")
    change = loaded.state.key_changes[request_id]
    approval = change.approval
    shown = ShownKeyChange(
        request_id=request_id,
        fields=change.fields,
        status=approval.status,
        step=approval.step,
        cycle=approval.cycle,
        waiting_for=approval.route.steps[approval.step] if approval.status == "pending" else None,
        due_at=approval.due_at,
    )
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)
