"""Note what a person claims by right, and how they were answered, by HTTP (S2-02, PIPL 44–50)."""

import uuid
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field, model_validator

from services.customer.desk import STORED, at_home
from services.customer.model.claims import answer, claim
from services.customer.model.contacts import ContactUnknown
from services.customer.model.customer import Customer
from services.customer.model.deadlines import Deadlines
from services.customer.model.files import unless_erased
from services.customer.model.open_timers import CLAIM
from services.customer.views.claims import ShownClaim, as_claim
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code
from shared.contracts.rights import Right
from shared.plumbing.access import allowed
from shared.plumbing.bodies import Body
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger, Loaded, Task

Words = Annotated[str, Field(min_length=1, max_length=20_000)]


class ClaimRight(Body):
    """What somebody asks for: the customer, or the contact that is named."""

    right: Right
    contact_id: Code | None = None
    channel: Code | None = Field(None, examples=["phone"])
    words: Words | None = Field(None, examples=["请提供贵司保存的我的全部信息"])


class AnswerClaim(Body):
    """Granted, or refused for a reason (a code); the words are kept sealed."""

    outcome: Literal["granted", "refused"]
    reason: Code | None = Field(None, examples=["legal_duty"])
    words: Words | None = None

    @model_validator(mode="after")
    def _refused_for_a_reason(self) -> Self:
        if (self.outcome == "refused") is (self.reason is None):
            raise ValueError("a refusal needs its reason (PIPL 50), a granted claim has none")
        return self


def routes(ledger: Ledger, deadlines: Deadlines) -> APIRouter:
    """POST below /v1/customers/{customer_id}/claims."""
    router = APIRouter(prefix="/v1/customers/{customer_id}/claims", tags=["privacy"])

    def shown(claim_id: str, loaded: Loaded[Customer]) -> dict[str, Any]:
        if loaded.state is None:
            raise ValueError("a rule that answered has a file")
        return as_claim(loaded.state.customer_id, claim_id, loaded.state.claims[claim_id], ledger.clock.now())

    @router.post(
        "",
        status_code=201,
        response_model=ShownClaim,
        summary="Note that a person claims a right to their data",
        dependencies=[allowed("interaction.log", rows=True)],
    )
    async def post_claim(
        customer_id: Code, body: ClaimRight, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        claim_id, person = uuid.uuid4().hex, body.contact_id or customer_id

        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            at_home(customer_id, scene.now, state)
            unless_erased(state)
            if state is None:
                return []
            if body.contact_id is not None and body.contact_id not in state.contacts:
                raise ContactUnknown(f"customer {state.code} has no contact {body.contact_id}; list them first")
            within, _ = deadlines.policies.span(f"{CLAIM}.within", deadlines.day(scene.now))
            due = deadlines.due(scene.now, within)
            target = deadlines.target(CLAIM, scene.now, due)
            return claim(state, claim_id, person, body.right, (body.channel, body.words), due, target, scene.now)

        parts = {} if body.contact_id is None else {"contacts": frozenset({body.contact_id})}
        # People stay in the file they were noted in, and so does what they ask for.
        task = Task(STORED, customer_id, rule, parts, whole=frozenset({"claims"}), follow=False)
        return await carry_out(ledger, task, request, lambda loaded: shown(claim_id, loaded))

    @router.post(
        "/{claim_id}/answer",
        response_model=ShownClaim,
        summary="Say how the person was answered",
        dependencies=[allowed("privacy.answer", rows=True)],
    )
    async def post_answer(
        customer_id: Code, claim_id: Code, body: AnswerClaim, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            at_home(customer_id, scene.now, state)
            if state is None:
                return []
            return answer(state, claim_id, body.outcome, body.reason, body.words, scene.now)

        # Whether the person is still known here is told by the contacts, and whose claim it is by the claim alone.
        parts = {"claims": frozenset({claim_id})}
        task = Task(STORED, customer_id, rule, parts, whole=frozenset({"contacts"}), follow=False)
        return await carry_out(ledger, task, request, lambda loaded: shown(claim_id, loaded), status=200)

    return router
