"""The people at a customer, and those who have to do with a product line, now or as recorded by a moment."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from services.customer.model.parts import Contact
from services.customer.views.customer_file import MASKS, AsOf, Reading, Shown
from services.customer.views.holding import held
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
        as_of: AsOf = None,
    ) -> list[ShownContact]:
        having = ("product_lines", product_line) if product_line else None
        found, fields = await held(ledger, customer_id, permit, "contacts", ("_id", 1), limit, as_of, having)
        return [
            ShownContact.model_validate(masked(as_contact(one.part_id, one.part), MASKS, fields))
            for one in found
            if isinstance(one.part, Contact)
        ]

    return router


async def prepare(ledger: Ledger) -> None:
    """The index of the list above; safe to repeat."""
    await ledger.database["contacts"].create_index("owner")
