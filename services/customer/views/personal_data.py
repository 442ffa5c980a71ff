"""Everything kept here about one customer, or about one person there, for whom it is about: access and copy
(PIPL 44, 45)."""

from typing import Annotated, Any

from fastapi import APIRouter

from services.customer.desk import STORED, Desk
from services.customer.drawing import STORED as SPENDINGS
from services.customer.model.contacts import ContactUnknown
from services.customer.views.customer_file import as_file, owners_of, read_file
from services.customer.views.requests import as_request
from services.customer.views.visits import STORED as VISITS
from services.customer.views.visits import as_visit
from shared.contracts.envelope import Code
from shared.plumbing.access import Permit, allowed
from shared.plumbing.journal import Ledger

Copying = Annotated[Permit, allowed("customer.export")]
"""Only for who may see every file whole; the permit logs each reading."""


def routes(ledger: Ledger, desk: Desk) -> APIRouter:
    """GET below /v1/customers/{customer_id}: …/personal-data of the customer, and of one contact."""
    router = APIRouter(prefix="/v1/customers", tags=["privacy"])

    @router.get("/{customer_id}/personal-data", summary="All that is kept about a customer; every copy is logged")
    async def personal_data(customer_id: Code, permit: Copying) -> dict[str, Any]:
        loaded, _ = await read_file(ledger, customer_id, permit)
        credit = loaded.state.credit if loaded.state is not None else None
        parts = {name: await _parts(ledger, name, {"owner": customer_id}) for name in STORED.state.PARTS}
        return {
            "customer": {**as_file(desk, loaded), **({"credit": credit} if credit else {})},
            **parts,
            "requests": await _requests(ledger, customer_id),
            "visits": await _visits(ledger, customer_id),
            "elsewhere": {"feedback": f"/v1/cases?customer={customer_id}"},
        }

    @router.get(
        "/{customer_id}/contacts/{contact_id}/personal-data",
        summary="All that is kept about one person at a customer; every copy is logged",
    )
    async def contacts_data(customer_id: Code, contact_id: Code, permit: Copying) -> dict[str, Any]:
        loaded, _ = await read_file(ledger, customer_id, permit)
        files = {"owner": {"$in": owners_of(loaded)}}
        person = await _parts(ledger, "contacts", {**files, "_id": contact_id})
        if not person:
            raise ContactUnknown(f"customer {customer_id} has no contact {contact_id}; list them with GET …/contacts")
        named = {**files, "$or": [{"contact_id": contact_id}, {"person_id": contact_id}]}
        beside = {name: await _parts(ledger, name, named) for name in STORED.state.PARTS if name != "contacts"}
        return {"contact": person[0], **{name: found for name, found in beside.items() if found}}

    return router


async def _parts(ledger: Ledger, name: str, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """Parts of files in full, by their ids."""
    collection, _ = STORED.state.PARTS[name]
    documents = await ledger.database[collection].find(wanted).sort("_id", 1).to_list()
    found = await ledger.read_parts(STORED, name, documents)
    return [
        {"id": stored["_id"], **part.model_dump(mode="json", exclude_none=True)}
        for stored, part in zip(documents, found, strict=True)
    ]


async def _requests(ledger: Ledger, customer_id: str) -> list[dict[str, Any]]:
    """Gifts for this customer, and other money spent about them, without the other customers of a drive."""
    documents = await ledger.database[SPENDINGS.collection].find({"customers": customer_id}).sort("_id", 1).to_list()
    shown = [as_request(one) for one in await ledger.read_heads(SPENDINGS, documents)]
    return [
        {
            **one,
            "customerIds": [customer_id],
            "handedOver": {who: at for who, at in one["handedOver"].items() if who == customer_id},
        }
        for one in shown
    ]


async def _visits(ledger: Ledger, customer_id: str) -> list[dict[str, Any]]:
    documents = await ledger.database[VISITS.collection].find({"customer_id": customer_id}).sort("_id", 1).to_list()
    return [as_visit(one) for one in await ledger.read_heads(VISITS, documents)]
