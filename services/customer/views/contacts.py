"""The people at a customer, and those who have to do with a product line."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from services.customer.desk import STORED
from services.customer.model.parts import Contact
from services.customer.views.customer_file import MASKS, Reading, Shown, owners_of, read_file
from shared.contracts.envelope import Code
from shared.plumbing.journal import Ledger
from shared.policy.permission.masking import masked

MAX_PAGE = 1000


class ShownContact(Shown):
    """A person, and the product lines that person has to do with."""

    contact_id: str
    name: str | None = None
    post: str | None = None
    phone: str | None = None
    email: str | None = None
    lawful_basis: str | None = None
    product_lines: list[str] = []


def as_contact(contact_id: str, contact: Contact) -> dict[str, Any]:
    """One person as JSON."""
    shown = ShownContact.model_validate({**contact.model_dump(), "contact_id": contact_id})
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)


def routes(ledger: Ledger) -> APIRouter:
    """GET /v1/customers/{customer_id}/contacts."""
    router = APIRouter(prefix="/v1/customers", tags=["contacts"])

    @router.get("/{customer_id}/contacts", response_model_exclude_none=True, summary="People at a customer")
    async def contacts(
        customer_id: Code,
        permit: Reading,
        product_line: Code | None = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 200,
    ) -> list[ShownContact]:
        loaded, fields = await read_file(ledger, customer_id, permit)
        query: dict[str, Any] = {"owner": {"$in": owners_of(loaded)}}
        if product_line:
            query["product_lines"] = product_line
        cursor = ledger.database["contacts"].find(query).sort("_id", 1).limit(limit)
        documents = await cursor.to_list()
        found = zip(documents, await ledger.read_parts(STORED, "contacts", documents), strict=True)
        return [
            ShownContact.model_validate(masked(as_contact(document["_id"], part), MASKS, fields))
            for document, part in found
            if isinstance(part, Contact)
        ]

    return router
