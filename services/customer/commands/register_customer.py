"""Open a customer file, by HTTP or from `customer.registered`; change it, by HTTP or from `customer.changed`."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from services.customer.desk import OWN_SOURCE, STORED, Desk, at_home
from services.customer.duplicates import Candidate, Duplicates, Thresholds
from services.customer.model.customer import Customer
from services.customer.model.files import About, CustomerAlreadyRegistered, change, check_partner, register
from services.customer.model.filing import natural_key
from services.customer.model.key_changes import refuse_direct, refuse_mark
from services.customer.views.customer_file import CustomerFile, as_file
from shared.contracts import intake
from shared.contracts.decision import Invalid, Refusal, Said, Scene
from shared.contracts.envelope import Code, Dims, Moment
from shared.plumbing.access import allowed
from shared.plumbing.commands import Asked, asked, carry_out
from shared.plumbing.intake import Heard, Understood
from shared.plumbing.journal import Ledger, Task

Text = Annotated[str, Field(max_length=20_000)]


class LooksLikeAnother(Refusal):
    """One customer, one file (S0-34)."""

    SLUG = "customer-looks-like-another"


class ContactAhead(Invalid):
    SLUG = "contact-ahead"


class CustomerFields(BaseModel):
    """What a file can say. Personal fields are stored sealed and never travel on the bus."""

    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, strict=True
    )
    name: Text | None = Field(None, examples=["王芳"])
    company: Text | None = Field(None, examples=["华东精密仪器有限公司"])
    credit_code: Code | None = Field(None, description="统一社会信用代码", examples=["91350100M000100Y43"])
    kind: Code | None = Field(None, examples=["indirect"])
    partner_id: Code | None = Field(None, description="The channel partner of an indirect customer.")
    key_mark: bool | None = Field(
        None, description="Counted among the core customers whatever the grade; set by approval alone (key-changes)."
    )
    phone: Text | None = Field(None, examples=["13800138000"])
    email: Text | None = None
    address: Text | None = None
    needs: Text | None = None
    preferences: Text | None = Field(None, examples=["周二下午致电"])
    grade: Code | None = Field(None, examples=["A"])
    region: Code | None = Field(None, examples=["华东"])
    industry: Code | None = None
    size: Code | None = None
    channel: Code | None = None
    owner_id: Code | None = None
    lawful_basis: Code | None = Field(None, examples=["contract"])
    dims: Dims = {}


class CreateCustomer(CustomerFields):
    """A new file. `externalId` is your own id for the customer, within `source`.

    Without it the credit code, or name and phone or e-mail, say whether it is the same customer.
    """

    kind: Code | None = Field("direct", examples=["indirect"])
    source: Code = OWN_SOURCE
    external_id: Code | None = None
    contact_at: Moment | None = Field(None, description="When the first contact was, if not just now.")
    not_the_same_as: list[Code] = Field([], description="Ids of like files that are known to be other customers.")


def understood(desk: Desk) -> list[Understood]:
    """The intake types of this use case."""

    def registered(heard: Heard) -> Task[Customer]:
        data: intake.CustomerRegistered = heard.data
        who = desk.about(heard, data.customer)
        return desk.task(who, lambda state, who: register(state, who, data.model_dump(exclude={"customer"})))

    def changed(heard: Heard) -> Task[Customer]:
        data: intake.CustomerChanged = heard.data
        who = desk.about(heard, data.customer)
        fields = data.model_dump(exclude={"customer"}, exclude_unset=True)
        return desk.task(who, lambda state, who: change(state, who, fields))

    return [Understood(intake.CustomerRegistered, registered), Understood(intake.CustomerChanged, changed)]


def routes(ledger: Ledger, desk: Desk, duplicates: Duplicates) -> APIRouter:
    """POST /v1/customers and PATCH /v1/customers/{customer_id}."""
    router = APIRouter(prefix="/v1/customers", tags=["customers"])
    reply = partial(as_file, desk)

    @router.post(
        "",
        status_code=201,
        response_model=CustomerFile,
        summary="Open a customer file",
        dependencies=[allowed("customer.create")],
    )
    async def create_customer(body: CreateCustomer, request: Annotated[Asked, Depends(asked)]) -> JSONResponse:
        fields = body.model_dump(exclude={"source", "external_id", "contact_at", "not_the_same_as"})
        external_id = body.external_id or own_id(desk, fields) or uuid.uuid4().hex
        who = About(
            customer_id=desk.identity.customer(body.source, external_id),
            source=body.source,
            external_id=external_id,
            time=first_contact(body.contact_at, ledger.clock.now()),
        )
        thresholds = Thresholds.of(desk.policies, desk.today())
        alike = await duplicates.like(fields, who.customer_id, thresholds.shown)
        others = [one for one in alike if one.customer.customer_id not in body.not_the_same_as]

        def rule(state: Customer | None, who: About, scene: Scene) -> Sequence[Said]:
            return desk_opens(desk, state, who, scene, fields)

        task = desk.seeing_task(who, rule, beside=[body.partner_id] if body.partner_id else [])
        try:
            refuse_duplicate(others, thresholds)
            answer = await carry_out(ledger, task, request, reply)
        except (LooksLikeAnother, CustomerAlreadyRegistered) as refusal:
            if request.permit is not None:  # whoever is refused so learns who is a customer
                known = others[0].customer.customer_id if isinstance(refusal, LooksLikeAnother) else who.customer_id
                request.permit.hit([known], "masked")
            raise
        await duplicates.note(who.customer_id, alike)
        return answer

    @router.patch(
        "/{customer_id}",
        response_model=CustomerFile,
        summary="Change fields of a file",
        dependencies=[allowed("customer.write", rows=True)],
    )
    async def change_customer(
        customer_id: Code, body: CustomerFields, request: Annotated[Asked, Depends(asked)]
    ) -> JSONResponse:
        fields: dict[str, Any] = body.model_dump(exclude_unset=True)

        def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
            return desk_changes(desk, state, at_home(customer_id, scene.now, state), scene, fields)

        others = ((STORED, body.partner_id),) if body.partner_id else ()
        return await carry_out(ledger, Task(STORED, customer_id, rule, others=others), request, reply, status=200)

    return router


def desk_opens(
    desk: Desk, state: Customer | None, who: About, scene: Scene, fields: Mapping[str, Any]
) -> Sequence[Said]:
    """Our own desk opens a file, or completes the provisional one, by the rules of the policies."""
    filing = desk.filing(scene.now)
    filing.check_opening(fields)
    filing.check(fields)
    check_partner(fields, fields["kind"], scene.others.get(fields.get("partner_id") or ""))
    refuse_mark(state, desk.key_fields(scene.now), fields)
    return register(state, who, fields)


def desk_changes(
    desk: Desk, state: Customer | None, who: About, scene: Scene, fields: Mapping[str, Any]
) -> Sequence[Said]:
    """Our own desk changes a file, except for key fields, which take approval."""
    desk.filing(scene.now).check(fields)
    kind = fields.get("kind") or (state.kind if state else "direct")
    check_partner(fields, kind, scene.others.get(fields.get("partner_id") or ""))
    if state is not None:
        refuse_direct(state, desk.key_fields(scene.now), fields)
    return change(state, who, fields)


def first_contact(told: datetime | None, now: datetime) -> datetime:
    """When the first contact was. Raises ContactAhead."""
    if told is not None and told > now:
        raise ContactAhead("contactAt lies ahead: say when the contact was, or leave it out for just now")
    return told or now


def refuse_duplicate(alike: Sequence[Candidate], thresholds: Thresholds) -> None:
    """Refuse to open a file when another is so alike that it must be the same customer. Raises LooksLikeAnother."""
    if alike and alike[0].likeness.score >= thresholds.refused:
        found = alike[0]
        reasons = ", ".join(found.likeness.reasons)
        raise LooksLikeAnother(
            f"this looks like {found.customer.code} ({found.likeness.score} %: {reasons}); use that file, or name "
            f"{found.customer.customer_id} in notTheSameAs if they are two customers"
        )


def own_id(desk: Desk, fields: Mapping[str, Any]) -> str | None:
    """Our own external id: the same for two who open a file for the same customer at once; None: nothing tells."""
    key = natural_key(fields)
    return None if key is None else desk.identity.of("natural", OWN_SOURCE, key)
