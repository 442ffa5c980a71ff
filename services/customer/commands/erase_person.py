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


async def files_of(ledger: Ledger, customer_id: str) -> list[str]:
    """The file that stands for this one, and all that are merged into it: they are about the same person."""
    customers = ledger.database["customers"]
    found = await customers.find_one({"_id": customer_id}, {"merged_into": 1}) or {}
    home = found.get("merged_into") or customer_id
    head = await customers.find_one({"_id": home}, {"absorbed": 1}) or {}
    return [home, *head.get("absorbed", [])]


def forgetting(
    files: Sequence[str], contact_id: str | None, request_id: str, said: list[ErasureCompleted]
) -> list[Task[Customer]]:
    """The tasks that forget a person in all files; `said` becomes what is said of the first."""

    def task(customer_id: str) -> Task[Customer]:
        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            at_home(customer_id, scene.now, state)
            if state is None or (state.erased_at is not None and customer_id != files[0]):
                return []
            sentences = erase(state, contact_id, request_id, scene.now, files)
            if customer_id == files[0]:
                said[:] = [one.event for one in sentences if isinstance(one.event, ErasureCompleted)]
            return sentences

        parts = {} if contact_id is None else {"contacts": frozenset({contact_id})}
        # Days kept for a contact are sealed with the file: they go with the contact.
        whole = frozenset() if contact_id is None else frozenset({"care_days", "greetings"})
        forgets = contact_id or customer_id
        return Task(STORED, customer_id, rule, parts, person=customer_id, whole=whole, follow=False, forgets=forgets)

    return [task(one) for one in files]


def routes(ledger: Ledger) -> APIRouter:
    """POST …/erasure of a file or of one contact."""
    router = APIRouter(prefix="/v1/customers", tags=["privacy"])

    async def forget(files: Sequence[str], contact_id: str | None, request: Asked) -> JSONResponse:
        said: list[ErasureCompleted] = []
        first, *others = forgetting(files, contact_id, uuid.uuid4().hex, said)

        def reply(_loaded: Loaded[Customer]) -> dict[str, Any]:
            return as_certificate(said[0])

        answer = await carry_out(ledger, first, request, reply, status=200, also=others)
        log.info("person erased", files=list(files), contact=contact_id, actor=request.actor)
        return answer

    @router.post(
        "/{customer_id}/erasure",
        response_model=Certificate,
        summary="Forget a customer; answers the certificate",
        dependencies=[allowed("customer.erase")],
    )
    async def erase_customer(customer_id: Code, request: Annotated[Asked, Depends(asked)]) -> JSONResponse:
        return await forget(await files_of(ledger, customer_id), None, request)

    @router.post(
        "/{customer_id}/contacts/{contact_id}/erasure",
        response_model=Certificate,
        summary="Forget one person at a customer; answers the certificate",
        dependencies=[allowed("customer.erase")],
    )
    async def erase_contact(
        customer_id: Code, contact_id: Code, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        # People stay in the file they were noted in, also when that is merged into another.
        files = await files_of(ledger, customer_id)
        wanted = {"_id": contact_id, "owner": {"$in": files}}
        found = await ledger.database["contacts"].find_one(wanted, {"owner": 1})
        return await forget([customer_id if found is None else found["owner"]], contact_id, request)

    return router
