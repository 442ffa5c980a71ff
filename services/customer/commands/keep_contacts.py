"""People at a customer, by HTTP: who they are, and which product lines they have to do with."""

import uuid
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import Field

from services.customer.desk import STORED, Desk, at_home
from services.customer.model.contacts import change_contact, link_products
from services.customer.model.customer import Customer
from services.customer.model.files import About, add_contact
from services.customer.views.contacts import ShownContact, as_contact
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code
from shared.plumbing.access import allowed
from shared.plumbing.bodies import Body
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.journal import Ledger, Loaded, Task

Step = Callable[[Customer, About], Sequence[Said]]
Text = Annotated[str, Field(max_length=2_000)]


class ContactFields(Body):
    """A person; stored sealed."""

    name: Text | None = Field(None, examples=["李敏"])
    post: Text | None = Field(None, examples=["采购经理"])
    phone: Text | None = Field(None, examples=["13900139000"])
    email: Text | None = None
    lawful_basis: Code | None = Field(None, description="Where it is not that of the customer's file.")


class LinkProducts(Body):
    """All product lines the person has to do with; the list replaces the one before."""

    product_lines: Annotated[list[Code], Field(max_length=200)] = Field(examples=[["spindles", "bearings"]])


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """POST, PATCH and PUT below /v1/customers/{customer_id}/contacts."""
    router = APIRouter(prefix="/v1/customers", tags=["contacts"])

    async def keep(customer_id: str, contact_id: str, step: Step, request: Asked, status: int) -> JSONResponse:
        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            who = at_home(customer_id, scene.now, state)
            return [] if state is None else step(state, who)

        def reply(loaded: Loaded[Customer]) -> dict[str, Any]:
            state = loaded.state
            if state is None:
                raise ValueError("a rule that answered has a file")
            return as_contact(contact_id, state.contacts[contact_id])

        # People stay in the file they were noted in, also when it is merged into another.
        task = Task(STORED, customer_id, rule, {"contacts": frozenset({contact_id})}, follow=False)
        return await carry_out(ledger, task, request, reply, status=status)

    @router.post(
        "/{customer_id}/contacts",
        status_code=201,
        response_model=ShownContact,
        summary="Add a person",
        dependencies=[allowed("customer.write", rows=True)],
    )
    async def post_contact(
        customer_id: Code, body: ContactFields, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        person = body.model_dump(exclude_none=True)
        contact_id = uuid.uuid4().hex

        def step(state: Customer, who: About) -> Sequence[Said]:
            desk.filing(who.time).check(person)
            return add_contact(state, who, contact_id, person)

        return await keep(customer_id, contact_id, step, request, 201)

    @router.patch(
        "/{customer_id}/contacts/{contact_id}",
        response_model=ShownContact,
        summary="Change a person",
        dependencies=[allowed("customer.write", rows=True)],
    )
    async def patch_contact(
        customer_id: Code, contact_id: Code, body: ContactFields, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        person = body.model_dump(exclude_unset=True)

        def step(state: Customer, who: About) -> Sequence[Said]:
            desk.filing(who.time).check(person)
            return change_contact(state, who, contact_id, person)

        return await keep(customer_id, contact_id, step, request, 200)

    @router.put(
        "/{customer_id}/contacts/{contact_id}/products",
        response_model=ShownContact,
        summary="Say which product lines a person has to do with",
        dependencies=[allowed("customer.write", rows=True)],
    )
    async def put_products(
        customer_id: Code, contact_id: Code, body: LinkProducts, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        def step(state: Customer, who: About) -> Sequence[Said]:
            return link_products(state, who, contact_id, body.product_lines)

        return await keep(customer_id, contact_id, step, request, 200)

    return router
