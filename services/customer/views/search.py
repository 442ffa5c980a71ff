"""Finding files: by phone, e-mail or person name exactly, by part of an organisation's name."""

import re
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from services.customer.desk import Desk
from services.customer.model.customer import Customer
from services.customer.model.naming import PART_LENGTH, ends_of, normal_company
from services.customer.views.customer_file import CustomerFile, Reading, open_files
from shared.contracts.decision import Invalid
from shared.plumbing.database import Document
from shared.plumbing.journal import OWNER, Ledger

MOST = 50
PORTION = 1_000
"""People whose files are looked for together, where so many have the same name or number."""
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
        description="At most `limit` of those that match, in no order: when so many come, say more.",
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
        found: dict[str, Document] = {}

        async def full(*way: Document) -> bool:
            """Find those among these; whether that makes as many as are wanted."""
            query = reached(permit.where(), [*way, *containing(part)])
            # Of a long part the query compares the ends alone, so nobody knows how many it must find.
            async with customers.find(query).limit(0 if len(part) > PART_LENGTH else limit) as cursor:
                async for one in cursor:
                    if part in normal_company(one["company"] or ""):
                        found[one["_id"]] = one
                    if len(found) == limit:
                        return True
            return False

        if not tags:
            await full()
        elif not await full(known := {"blind": {"$all": tags}}):
            async with contacts.find(known, {"owner": 1}).batch_size(PORTION) as people:
                while some := await people.to_list(PORTION):
                    if await full({"_id": {"$in": [one["owner"] for one in some]}}):
                        break
        return JSONResponse(await open_files(ledger, desk, list(found.values()), permit))

    return router


def reached(reach: Document, conditions: Sequence[Document]) -> Document:
    """Conditions within somebody's reach: a branch for each way to a row, so that each is found by its own index."""
    branches = [{"$and": [way, *conditions]} for way in reach.get("$or", [{}])]
    return branches[0] if len(branches) == 1 else {"$or": branches}


def containing(part: str) -> list[Document]:
    """Conditions of every company that has this in its name; none where nothing is asked of the name."""
    return [{"company_parts": {"$regex": f"^{re.escape(one)}"}} for one in ends_of(part) if part]


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
