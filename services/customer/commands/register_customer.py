"""Open a customer file, by HTTP or from `customer.registered`; change it, by HTTP or from `customer.changed`."""

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from services.customer.commands.tasks import about, task
from services.customer.model.customer import Customer
from services.customer.model.files import About, CustomerUnknown, change, register
from services.customer.views.customer_file import CustomerFile, as_file
from shared.contracts import intake
from shared.contracts.decision import TooEarly
from shared.contracts.envelope import Code, Dims
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.identity import Identity
from shared.plumbing.intake import Heard, Understood
from shared.plumbing.journal import Ledger, Task

OWN_SOURCE = "manyi"
Text = Annotated[str, Field(max_length=20_000)]


class CustomerFields(BaseModel):
    """What a file can say. Personal fields are stored sealed and never travel on the bus."""

    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, strict=True
    )
    name: Text | None = Field(None, examples=["王芳"])
    company: Text | None = Field(None, examples=["华东精密仪器有限公司"])
    phone: Text | None = None
    email: Text | None = None
    address: Text | None = None
    needs: Text | None = None
    grade: Code | None = Field(None, examples=["A"])
    region: Code | None = Field(None, examples=["华东"])
    industry: Code | None = None
    size: Code | None = None
    channel: Code | None = None
    owner_id: Code | None = None
    lawful_basis: Code | None = Field(None, examples=["contract"])
    dims: Dims = {}


class CreateCustomer(CustomerFields):
    """A new file. `externalId` is your own id for the customer, within `source`; without it one is made."""

    kind: Annotated[str, Field(pattern="^(direct|indirect)$")] = "direct"
    source: Code = OWN_SOURCE
    external_id: Code | None = None


def understood(identity: Identity) -> list[Understood]:
    """The intake types of this use case."""

    def registered(heard: Heard) -> Task[Customer]:
        data: intake.CustomerRegistered = heard.data
        who = about(identity, heard, data.customer)
        return task(who.customer_id, lambda state: register(state, who, data.model_dump(exclude={"customer"})))

    def changed(heard: Heard) -> Task[Customer]:
        data: intake.CustomerChanged = heard.data
        who = about(identity, heard, data.customer)
        fields = data.model_dump(exclude={"customer"}, exclude_unset=True)
        return task(who.customer_id, lambda state: change(state, who, fields))

    return [Understood(intake.CustomerRegistered, registered), Understood(intake.CustomerChanged, changed)]


def routes(ledger: Ledger, identity: Identity) -> APIRouter:
    """POST /v1/customers and PATCH /v1/customers/{customer_id}."""
    router = APIRouter(prefix="/v1/customers", tags=["customers"])

    @router.post("", status_code=201, response_model=CustomerFile, summary="Open a customer file")
    async def create_customer(body: CreateCustomer, request: Annotated[Asked, Depends(asked)]) -> JSONResponse:
        external_id = body.external_id or uuid.uuid4().hex
        who = About(
            customer_id=identity.customer(body.source, external_id),
            source=body.source,
            external_id=external_id,
            time=ledger.clock.now(),
        )
        fields = body.model_dump(exclude={"source", "external_id"})
        return await carry_out(
            ledger, task(who.customer_id, lambda state: register(state, who, fields)), request, as_file
        )

    @router.patch("/{customer_id}", response_model=CustomerFile, summary="Change fields of a file")
    async def change_customer(
        customer_id: Code, body: CustomerFields, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        fields: dict[str, Any] = body.model_dump(exclude_unset=True)
        now = ledger.clock.now()

        def rule(state: Customer | None) -> Any:
            if state is None:
                raise CustomerUnknown(f"there is no customer {customer_id}; open the file with POST /v1/customers")
            source = next(iter(state.known_as), OWN_SOURCE)
            who = About(
                customer_id=customer_id, source=source, external_id=state.known_as.get(source, customer_id), time=now
            )
            try:
                return change(state, who, fields)
            except TooEarly as error:
                raise CustomerUnknown(str(error)) from error

        return await carry_out(ledger, task(customer_id, rule), request, as_file, status=200)

    return router
