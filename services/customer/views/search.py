"""Finding files: by phone, e-mail or person name exactly, by part of an organisation's name."""

import re
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from services.customer.desk import Desk
from services.customer.model.customer import Customer
from services.customer.model.naming import PART_LENGTH, normal_company
from services.customer.views.customer_file import CustomerFile, Reading, open_files
from shared.contracts.decision import Invalid
from shared.plumbing.database import Document
from shared.plumbing.journal import OWNER, Ledger

MOST = 50
Sought = Annotated[str | None, Query(min_length=1, max_length=200)]


class NothingSought(Invalid):
    SLUG = "nothing-sought"


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """GET /v1/customers/search."""
    router = APIRouter(prefix="/v1/customers", tags=["customers"])
    customers, contacts = ledger.database["customers"], ledger.database["contacts"]

    @router.get(
        "/search",
        response_model=list[CustomerFile],
        response_model_exclude_none=True,
        summary="Find files; all that is given must match",
        description="At most `limit` files; by `company` in the order of the names, read from the part on.",
    )
    async def search(
        permit: Reading,
        phone: Sought = None,
        email: Sought = None,
        name: Sought = None,
        company: Sought = None,
        limit: Annotated[int, Query(ge=1, le=MOST)] = MOST,
    ) -> JSONResponse:
        exact = {"phone": phone, "email": email, "name": name}
        tags = [tag for field, value in exact.items() if value and (tag := _tag(ledger, field, value)) is not None]
        part = normal_company(company or "")
        if not tags and not part:
            raise NothingSought("say what to look for: phone, email, name or part of a company's name, in letters")
        conditions: list[Document] = []
        if tags:
            people = await contacts.find({"blind": {"$all": tags}}, {"owner": 1}).limit(MOST).to_list()
            conditions.append({"$or": [{"blind": {"$all": tags}}, {"_id": {"$in": [one["owner"] for one in people]}}]})
        if part:
            conditions.append(beginning_with(part))
        documents = await customers.find(reached(permit.where(), conditions)).limit(limit).to_list()
        found = [one for one in documents if part in normal_company(one["company"] or "")]
        return JSONResponse(await open_files(ledger, desk, found, permit))

    return router


def reached(reach: Document, conditions: Sequence[Document]) -> Document:
    """Conditions within somebody's reach: a branch for each way to a row, so that each is found by its own index."""
    branches = [{"$and": [way, *conditions]} for way in reach.get("$or", [{}])]
    return branches[0] if len(branches) == 1 else {"$or": branches}


def beginning_with(part: str) -> Document:
    """Those with this at the beginning of a part of the company's name; of a long one only so much is kept."""
    return {"company_parts": {"$regex": f"^{re.escape(part[:PART_LENGTH])}"}}


def _tag(ledger: Ledger, field: str, value: str) -> bytes | None:
    """The blind tag of a value; None when nothing of it is left in its normal form."""
    normal = Customer.BLIND[field](value)
    return ledger.keyring.blind.tag(field, normal) if normal else None


async def prepare(ledger: Ledger) -> None:
    """Indexes of the search; safe to repeat."""
    for collection in ("customers", "contacts"):
        await ledger.database[collection].create_index("blind", sparse=True)
    customers = ledger.database["customers"]
    await customers.create_index("company_parts", sparse=True)
    # Whoever sees some owners' files alone does not go through everybody's that have a frequent part in the name.
    owned = {OWNER: {"$gt": ""}}
    await customers.create_index([(OWNER, 1), ("company_parts", 1)], partialFilterExpression=owned)
