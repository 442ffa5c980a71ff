"""Open a case, by HTTP at our own desk or from `complaint.received` of an outside one."""

import uuid
from collections.abc import Sequence
from typing import Annotated, Self

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from services.feedback.commands.steps import Text
from services.feedback.model.case import Case, Kind
from services.feedback.model.deadlines import Deadlines
from services.feedback.model.opening import Opening, open_case
from services.feedback.views.case_file import STORED, CaseFile, as_case
from shared.contracts import intake
from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Code, Dims
from shared.contracts.intake import ExternalId
from shared.plumbing.access import allowed
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.identity import Identity
from shared.plumbing.intake import Heard, Understood
from shared.plumbing.journal import Ledger, Task

OWN_SOURCE = "manyi"


class OpenCase(BaseModel):
    """A new case. The customer by our id, or by `source` and the id that it has there, or none."""

    model_config = ConfigDict(
        extra="forbid", strict=True, alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )
    kind: Kind = "complaint"
    customer_id: Code | None = None
    customer: ExternalId | None = Field(None, examples=[{"source": "crm", "id": "K-1001"}])
    channel: Code | None = Field(None, examples=["phone"])
    category: Code | None = Field(None, examples=["delivery"])
    product: Code | None = None
    severity: Code | None = None
    priority: Code | None = Field(None, examples=["2"])
    text: Text | None = Field(None, examples=["设备到货时外壳破损。"])
    dims: Dims = {}

    @model_validator(mode="after")
    def _one_customer(self) -> Self:
        if self.customer_id is not None and self.customer is not None:
            raise ValueError("name the customer by customerId or by customer, not both")
        return self


def task(opening: Opening) -> Task[Case]:
    """The task of opening this case."""

    def decide(state: Case | None, _scene: Scene) -> Sequence[Said]:
        return open_case(state, opening)

    return Task(STORED, opening.case_id, decide, person=opening.customer_id)


def understood(identity: Identity) -> list[Understood]:
    """The intake type of this use case."""

    def received(heard: Heard) -> Task[Case]:
        data: intake.ComplaintReceived = heard.data
        fields = {name: value for name, value in data if name not in ("case", "customer")}
        return task(
            Opening(
                case_id=identity.of("case", heard.source, data.case),
                source=heard.source,
                external_id=data.case,
                at=heard.time,
                desk="outside",
                timezone=heard.timezone,
                customer_id=_customer(identity, heard.source, data.customer),
                **fields,
            )
        )

    return [Understood(intake.ComplaintReceived, received)]


def _customer(identity: Identity, source: str, customer: intake.Customer | None) -> str | None:
    """Our id of the customer; a bare id belongs to the event's own source."""
    if customer is None:
        return None
    owner = customer if isinstance(customer, ExternalId) else ExternalId(source=source, id=customer)
    return identity.customer(owner.source, owner.id)


def routes(ledger: Ledger, identity: Identity, deadlines: Deadlines) -> APIRouter:
    """POST /v1/cases."""
    router = APIRouter(prefix="/v1/cases", tags=["cases"])

    @router.post(
        "", status_code=201, response_model=CaseFile, summary="Open a case", dependencies=[allowed("case.open")]
    )
    async def post_case(body: OpenCase, request: Annotated[Asked, Depends(asked)]) -> JSONResponse:
        external_id, now = uuid.uuid4().hex, ledger.clock.now()
        opening = Opening(
            case_id=identity.of("case", OWN_SOURCE, external_id),
            source=OWN_SOURCE,
            external_id=external_id,
            at=now,
            targets=deadlines.begun(now, body.priority),
            customer_id=body.customer_id or _customer(identity, OWN_SOURCE, body.customer),
            **{name: value for name, value in body if name not in ("customer", "customer_id")},
        )
        return await carry_out(ledger, task(opening), request, as_case)

    return router
