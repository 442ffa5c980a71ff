"""A person agrees to what their data is used for, or takes that back, by HTTP (S2-02, PIPL 13–17)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field

from services.customer.desk import STORED, Desk, at_home
from services.customer.model.consenting import CONSENT, Purposes, grant, withdraw
from services.customer.model.consents import consent_id
from services.customer.model.customer import Customer
from services.customer.views.consents import Ledgered, as_ledger
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.bodies import Body
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger, Loaded, Task

Step = Callable[[Customer, str, Purposes, datetime], list[Said]]
Evidence = Annotated[str, Field(min_length=1, max_length=2_000)]


class Withdraw(Body):
    """What is not to be done any more, everything if nothing is named; `contactId` where it is not the customer."""

    contact_id: Code | None = None
    purposes: Annotated[list[Code], Field(max_length=50)] = Field([], examples=[["marketing"]])
    channel: Code | None = Field(None, examples=["phone"])
    evidence: Evidence | None = Field(None, examples=["录音 2026-0311-7"])


class Grant(Withdraw):
    """What the data may be used for. A consent names the text that was agreed to, and how that can be shown."""

    purposes: Annotated[list[Code], Field(min_length=1, max_length=50)] = Field(examples=[["survey", "marketing"]])
    basis: Code = Field(CONSENT, examples=["consent"])
    text_version: Code | None = Field(None, examples=["notice-2026-1"])


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """POST …/consents and …/consents/withdrawals of a file."""
    router = APIRouter(prefix="/v1/customers/{customer_id}/consents", tags=["privacy"])

    async def carry(customer_id: str, body: Withdraw, request: Asked, step: Step, status: int) -> JSONResponse:
        person = body.contact_id or customer_id
        policy = Purposes.of(desk.policies, desk.today())

        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            at_home(customer_id, scene.now, state)
            return [] if state is None else step(state, person, policy, scene.now)

        def reply(loaded: Loaded[Customer]) -> dict[str, Any]:
            if loaded.state is None:
                raise ValueError("a rule that answered has a file")
            found = [one for one in loaded.state.consents.values() if one.person_id == person]
            return as_ledger(loaded.state, person, found, policy)

        parts = {"consents": frozenset(consent_id(person, one) for one in policy.known)}
        if body.contact_id is not None:
            parts["contacts"] = frozenset({body.contact_id})
        # What somebody said stays in the file it was said in, also when that is merged into another.
        return await carry_out(ledger, Task(STORED, customer_id, rule, parts, follow=False), request, reply, status)

    @router.post(
        "",
        status_code=201,
        response_model=Ledgered,
        summary="Note what a person's data may be used for",
        dependencies=[allowed("customer.write", rows=True)],
    )
    async def post_consent(customer_id: Code, body: Grant, request: Annotated[Asked, Depends(asked)]) -> JSONResponse:
        def step(state: Customer, person: str, policy: Purposes, now: datetime) -> list[Said]:
            proof = (body.text_version, body.evidence)
            return grant(state, person, body.purposes, body.basis, proof, body.channel, policy, now)

        return await carry(customer_id, body, request, step, 201)

    @router.post(
        "/withdrawals",
        response_model=Ledgered,
        summary="Note what a person does not agree to any more: nothing is sent from now on",
        dependencies=[allowed("customer.write", rows=True)],
    )
    async def post_withdrawal(
        customer_id: Code, body: Withdraw, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        def step(state: Customer, person: str, policy: Purposes, now: datetime) -> list[Said]:
            purposes = body.purposes or list(policy.known)
            return withdraw(state, person, purposes, body.evidence, body.channel, policy, now)

        return await carry(customer_id, body, request, step, 200)

    return router
