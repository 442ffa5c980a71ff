"""One customer's file, now or as of an earlier moment, and the list of files."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from services.customer.desk import STORED, Desk
from services.customer.model.customer import Customer
from services.customer.model.files import CustomerUnknown
from services.customer.views.choosing import Filter
from shared.contracts.envelope import Code, Moment, moment_text
from shared.plumbing.access import Permit, allowed, facts_in
from shared.plumbing.database import Document
from shared.plumbing.journal import Ledger, Loaded
from shared.plumbing.past import as_of as past_state
from shared.policy.permission import masking
from shared.policy.permission.decision import Facts
from shared.policy.permission.masking import masked
from shared.policy.permission.table import Fields

MAX_PAGE = 200
MASKS = {
    "name": masking.person,
    "phone": masking.phone,
    "email": masking.email,
    "address": masking.hidden,
    "needs": masking.hidden,
    "preferences": masking.hidden,
    "credit": masking.absent,
    "knownAs": masking.absent,
    "post": masking.hidden,
    "note": masking.hidden,
    "promise": masking.hidden,
    "title": masking.hidden,
    "because": masking.hidden,
    "words": masking.absent,
    "notes": masking.absent,
    "answer": masking.hidden,
    "label": masking.hidden,
    "day": masking.absent,
    "nextOn": masking.absent,
}
"""How personal fields look to whoever may see the file, but not the person (S2-21)."""
Reading = Annotated[Permit, allowed("customer.read", rows=True)]
"""Every reading of a file is logged (S0-37)."""
AsOf = Annotated[Moment | None, Query(description="What was recorded by then; without it what is known now.")]


class Shown(BaseModel):
    """Base of what this API answers: camelCase on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True)


class CustomerFile(Shown):
    """The head of a file as a colleague sees it; `version` counts its events.

    `fileName` is the archive's (S0-35), `missing` what a complete file would still need (S2-10).
    """

    customer_id: str
    code: str
    file_name: str | None = None
    version: int
    kind: str
    lifecycle: str
    provisional: bool
    merged_into: str | None = None
    absorbed: list[str] = []
    name: str | None = None
    company: str | None = None
    phone: str | None = None
    email: str | None = None
    address: str | None = None
    needs: str | None = None
    preferences: str | None = None
    grade: str | None = None
    region: str | None = None
    industry: str | None = None
    size: str | None = None
    channel: str | None = None
    owner_id: str | None = None
    lawful_basis: str | None = None
    partner_id: str | None = None
    key_mark: bool = False
    credit_code: str | None = None
    missing: list[str] = []
    dims: dict[str, str] = {}
    known_as: dict[str, str] = {}
    contact_at: Moment | None = None


OF_STATE = CustomerFile.model_fields.keys() & Customer.model_fields.keys()


class CustomerPage(Shown):
    """A page of files in the order of their ids; `next` is the `after` of the following page."""

    customers: list[CustomerFile]
    next: str | None = None


def as_file(desk: Desk, loaded: Loaded[Customer]) -> dict[str, Any]:
    """The head of a file as JSON."""
    state = loaded.state
    if state is None:
        raise ValueError("a file that does not exist cannot be shown")
    filing = desk.filing(desk.clock.now())
    opened = state.contact_at.astimezone(desk.zone) if state.contact_at else None
    name = filing.file_name(state.code, opened) if opened else None
    more = {"version": loaded.version, "file_name": name, "missing": filing.incomplete(vars(state))}
    shown = CustomerFile.model_validate({**{field: getattr(state, field) for field in OF_STATE}, **more})
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)


async def read_file(ledger: Ledger, customer_id: str, permit: Permit) -> tuple[Loaded[Customer], Fields]:
    """The head of a file, and how much of its personal fields may be seen. Raises Forbidden, CustomerUnknown."""
    document = await ledger.database["customers"].find_one({"_id": customer_id})
    if document is None:
        permit.on(Facts(customer_id))
        raise CustomerUnknown(f"there is no customer {customer_id}; open the file with POST /v1/customers")
    return await open_file(ledger, document, permit)


async def open_file(ledger: Ledger, document: Document, permit: Permit) -> tuple[Loaded[Customer], Fields]:
    """The same of a head that was found already. Raises Forbidden."""
    fields = permit.on(facts_in(STORED, document))  # first, so that the audit is written while it is opened
    return await ledger.read_head(STORED, document), fields


async def open_files(ledger: Ledger, desk: Desk, documents: Sequence[Document], permit: Permit) -> list[dict[str, Any]]:
    """Heads of a list that the permit's `where` selected, as JSON, masked. Raises Forbidden."""
    seen = permit.page([facts_in(STORED, one) for one in documents])
    heads = await ledger.read_heads(STORED, documents)
    return [masked(as_file(desk, one), MASKS, fields) for one, fields in zip(heads, seen, strict=True)]


async def file_then(ledger: Ledger, customer_id: str, moment: datetime) -> Loaded[Customer]:
    """A file with all it held as it was recorded by a moment. Raises CustomerUnknown where there was none yet."""
    past = await past_state(ledger, STORED, customer_id, moment)
    if past.state is None:
        raise CustomerUnknown(
            f"there was no file of customer {customer_id} yet at {moment_text(moment)}; name a later moment"
        )
    return past


def owners_of(loaded: Loaded[Customer]) -> list[str]:
    """The file itself and those that were merged into it: people and conversations stay in the file they began in."""
    return [] if loaded.state is None else [loaded.state.customer_id, *loaded.state.absorbed]


async def files_of(ledger: Ledger, customer_id: str) -> list[str]:
    """The same by id, for lists of what may be about files that were merged since."""
    document = await ledger.database["customers"].find_one({"_id": customer_id}, {"absorbed": 1})
    return [customer_id, *(document or {}).get("absorbed", [])]


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """The read routes below /v1/customers."""
    router = APIRouter(prefix="/v1/customers", tags=["customers"])
    customers = ledger.database["customers"]

    @router.get("", response_model=CustomerPage, response_model_exclude_none=True, summary="List files")
    async def list_customers(
        permit: Reading,
        chosen: Annotated[Filter, Depends()],
        after: Annotated[str | None, Query(max_length=64)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    ) -> JSONResponse:
        query = chosen.query(desk)
        if after is not None:
            query["_id"] = {"$gt": after}
        documents = await customers.find({"$and": [query, permit.where()]}).sort("_id", 1).limit(limit + 1).to_list()
        shown = await open_files(ledger, desk, documents[:limit], permit)
        more = {"next": documents[limit - 1]["_id"]} if len(documents) > limit else {}
        return JSONResponse({"customers": shown, **more})

    @router.get(
        "/by-external-id",
        response_model=CustomerFile,
        response_model_exclude_none=True,
        summary="Find a file by a foreign id",
    )
    async def by_external_id(
        permit: Reading,
        source: Annotated[str, Query(min_length=1, max_length=200)],
        external_id: Annotated[str, Query(min_length=1, max_length=200, alias="id")],
    ) -> dict[str, Any]:
        found = await show(desk.identity.customer(source, external_id), permit)
        return await show(found["mergedInto"], permit) if "mergedInto" in found else found

    @router.get(
        "/by-code", response_model=CustomerFile, response_model_exclude_none=True, summary="Find a file by its code"
    )
    async def by_code(
        permit: Reading,
        code: Annotated[
            str, Query(min_length=1, max_length=200, description="The customer code, or the name of an archived file.")
        ],
    ) -> dict[str, Any]:
        document = await customers.find_one({"code": code.strip()})
        if document is None:
            filed_under = desk.filing(desk.clock.now()).read_file_name(code)
            document = await customers.find_one({"code": filed_under})
        if document is None:
            raise CustomerUnknown(f"no customer has the code {code}; look it up with GET /v1/customers")
        return filed(*await open_file(ledger, document, permit))

    @router.get(
        "/{customer_id}",
        response_model=CustomerFile,
        response_model_exclude_none=True,
        summary="Read one file, now or as of an earlier moment",
    )
    async def read_customer(
        customer_id: Code,
        permit: Reading,
        as_of: AsOf = None,
    ) -> dict[str, Any]:
        if as_of is None:
            return await show(customer_id, permit)
        _, fields = await read_file(ledger, customer_id, permit)
        return masked(as_file(desk, await file_then(ledger, customer_id, as_of)), MASKS, fields)

    async def show(customer_id: str, permit: Permit) -> dict[str, Any]:
        return filed(*await read_file(ledger, customer_id, permit))

    def filed(loaded: Loaded[Customer], fields: Fields) -> dict[str, Any]:
        return masked(as_file(desk, loaded), MASKS, fields)

    return router


async def prepare(ledger: Ledger) -> None:
    """Indexes of the lists above; safe to repeat."""
    await ledger.database["customers"].create_index("code", unique=True)
    for field in ("grade", "partner_id", "key_mark"):
        await ledger.database["customers"].create_index(field)
    await ledger.database["customers"].create_index([("lifecycle", 1), ("_id", 1)])
