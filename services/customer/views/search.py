"""Finding files: by phone, e-mail or person name exactly, by part of an organisation's name."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Query

from services.customer.desk import STORED, Desk
from services.customer.model.customer import Customer
from services.customer.model.naming import PART_LENGTH, normal_company
from services.customer.views.customer_file import MASKS, CustomerFile, Reading, as_file
from shared.contracts.decision import Invalid
from shared.plumbing.access import facts_of
from shared.plumbing.journal import Ledger
from shared.policy.permission.masking import masked

MOST = 50
Sought = Annotated[str | None, Query(min_length=1, max_length=200)]


class NothingSought(Invalid):
    SLUG = "nothing-sought"


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """GET /v1/customers/search."""
    router = APIRouter(prefix="/v1/customers", tags=["customers"])
    customers, contacts = ledger.database["customers"], ledger.database["contacts"]

    @router.get("/search", response_model_exclude_none=True, summary="Find files; all that is given must match")
    async def search(
        permit: Reading, phone: Sought = None, email: Sought = None, name: Sought = None, company: Sought = None
    ) -> list[CustomerFile]:
        exact = {"phone": phone, "email": email, "name": name}
        tags = [tag for field, value in exact.items() if value and (tag := _tag(ledger, field, value)) is not None]
        part = normal_company(company or "")
        if not tags and not part:
            raise NothingSought("say what to look for: phone, email, name or part of a company's name, in letters")
        conditions: list[dict[str, Any]] = [permit.where()]
        if tags:
            people = await contacts.find({"blind": {"$all": tags}}, {"owner": 1}).limit(MOST).to_list()
            conditions.append({"$or": [{"blind": {"$all": tags}}, {"_id": {"$in": [one["owner"] for one in people]}}]})
        if part:
            conditions.append({"company_parts": {"$regex": f"^{re.escape(part[:PART_LENGTH])}"}})
        documents = await customers.find({"$and": conditions}).limit(MOST).to_list()
        found = [
            one
            for one in await ledger.read_heads(STORED, documents)
            if one.state is not None and part in normal_company(one.state.company or "")
        ]
        seen = permit.page([facts_of(STORED, str(one.key), one) for one in found])
        return [
            CustomerFile.model_validate(masked(as_file(desk, one), MASKS, fields))
            for one, fields in zip(found, seen, strict=True)
        ]

    return router


def _tag(ledger: Ledger, field: str, value: str) -> bytes | None:
    """The blind tag of a value; None when nothing of it is left in its normal form."""
    normal = Customer.BLIND[field](value)
    return ledger.keyring.blind.tag(field, normal) if normal else None


async def prepare(ledger: Ledger) -> None:
    """Indexes of the search; safe to repeat."""
    for collection in ("customers", "contacts"):
        await ledger.database[collection].create_index("blind", sparse=True)
    await ledger.database["customers"].create_index("company_parts", sparse=True)
