"""Promise something to a customer, and say what became of it, by HTTP (S3-23)."""

import uuid
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field, model_validator

from services.customer.commands.by_when import ByWhen
from services.customer.desk import STORED, at_home
from services.customer.model.commitments import give_up, keep, promise
from services.customer.model.customer import Customer
from services.customer.model.deadlines import Deadlines
from services.customer.model.open_timers import COMMITMENT
from services.customer.views.commitments import ShownCommitment, as_commitment
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.bodies import Body
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger, Loaded, Task

Note = Annotated[str, Field(max_length=2_000)]


class MakeCommitment(ByWhen):
    """What is promised, and by when."""

    promise: Annotated[str, Field(min_length=1, max_length=2_000)] = Field(examples=["周五前寄出校准证书"])
    responsible: Code | None = Field(None, examples=["staff-12"])


class SettleCommitment(Body):
    """Kept, or broken for a reason (a code); a note is kept sealed."""

    outcome: Literal["kept", "broken"]
    reason: Code | None = Field(None, examples=["out_of_stock"])
    note: Note | None = None

    @model_validator(mode="after")
    def _broken_for_a_reason(self) -> Self:
        if (self.outcome == "broken") is (self.reason is None):
            raise ValueError("a broken commitment needs its reason, a kept one has none")
        return self


def routes(ledger: Ledger, deadlines: Deadlines) -> APIRouter:
    """POST below /v1/customers/{customer_id}/commitments."""
    router = APIRouter(prefix="/v1/customers/{customer_id}/commitments", tags=["commitments"])

    def shown(commitment_id: str, loaded: Loaded[Customer]) -> dict[str, Any]:
        if loaded.state is None:
            raise ValueError("a rule that answered has a file")
        state = loaded.state
        return as_commitment(state.customer_id, commitment_id, state.commitments[commitment_id], ledger.clock.now())

    @router.post(
        "",
        status_code=201,
        response_model=ShownCommitment,
        summary="Promise something to a customer",
        dependencies=[allowed("customer.write", rows=True)],
    )
    async def post_commitment(
        customer_id: Code, body: MakeCommitment, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        commitment_id = uuid.uuid4().hex

        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            at_home(customer_id, scene.now, state)
            due = body.due(deadlines, scene.now)
            target = deadlines.target(COMMITMENT, scene.now, due)
            if state is None:
                return []
            return promise(state, commitment_id, body.promise, due, target, body.responsible, scene.now)

        task = Task(STORED, customer_id, rule)
        return await carry_out(ledger, task, request, lambda loaded: shown(commitment_id, loaded))

    @router.post(
        "/{commitment_id}/outcome",
        response_model=ShownCommitment,
        summary="Say that a commitment is kept or broken",
        dependencies=[allowed("customer.write", rows=True)],
    )
    async def post_outcome(
        customer_id: Code, commitment_id: Code, body: SettleCommitment, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            at_home(customer_id, scene.now, state)
            if state is None:
                return []
            if body.reason is None:
                return keep(state, commitment_id, body.note, scene.now)
            return give_up(state, commitment_id, body.reason, body.note, scene.now)

        # What was promised stays in the file it was promised in, also when that is merged into another.
        task = Task(STORED, customer_id, rule, {"commitments": frozenset({commitment_id})}, follow=False)
        return await carry_out(ledger, task, request, lambda loaded: shown(commitment_id, loaded), status=200)

    return router
