"""Forget a person at their request: the key is destroyed, and with it every copy, backups included (PIPL 47, 50)."""

import uuid
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from services.customer.desk import STORED, at_home
from services.customer.model.customer import Customer
from services.customer.model.erasure import erase
from services.customer.views.certificate import Certificate, as_certificate
from shared.contracts.customer import ErasureCompleted
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger, Loaded, Task
from shared.plumbing.telemetry import logger

log = logger("erasure")


def routes(ledger: Ledger) -> APIRouter:
    """POST …/erasure of a file or of one contact."""
    router = APIRouter(prefix="/v1/customers", tags=["privacy"])

    async def forget(customer_id: str, contact_id: str | None, request: Asked) -> JSONResponse:
        request_id = uuid.uuid4().hex
        said: list[ErasureCompleted] = []

        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            at_home(customer_id, scene.now, state)
            sentences = [] if state is None else erase(state, contact_id, request_id, scene.now)
            said[:] = [one.event for one in sentences if isinstance(one.event, ErasureCompleted)]
            return sentences

        def reply(_loaded: Loaded[Customer]) -> dict[str, Any]:
            return as_certificate(said[0])

        parts = {} if contact_id is None else {"contacts": frozenset({contact_id})}
        # Days kept for a contact are sealed with the file: they go with the contact.
        whole = frozenset() if contact_id is None else frozenset({"care_days", "greetings"})
        forgets = contact_id or customer_id
        task = Task(STORED, customer_id, rule, parts, person=customer_id, whole=whole, forgets=forgets)
        answer = await carry_out(ledger, task, request, reply, status=200)
        log.info("person erased", customer=customer_id, contact=contact_id, actor=request.actor)
        return answer

    @router.post(
        "/{customer_id}/erasure",
        response_model=Certificate,
        summary="Forget a customer; answers the certificate",
        dependencies=[allowed("customer.erase")],
    )
    async def erase_customer(customer_id: Code, request: Annotated[Asked, Depends(asked)]) -> JSONResponse:
        return await forget(customer_id, None, request)

    @router.post(
        "/{customer_id}/contacts/{contact_id}/erasure",
        response_model=Certificate,
        summary="Forget one person at a customer; answers the certificate",
        dependencies=[allowed("customer.erase")],
    )
    async def erase_contact(
        customer_id: Code, contact_id: Code, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        return await forget(customer_id, contact_id, request)

    return router
