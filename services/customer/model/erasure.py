"""Rules: a person is forgotten, a whole file or one contact of it (PIPL 47). Facts without names stay counted."""

from datetime import datetime, timedelta

from services.customer.model.contacts import ContactUnknown
from services.customer.model.customer import Customer
from services.customer.model.files import CustomerErased
from shared.contracts import customer as said
from shared.contracts.catalogue import INTAKE_DAYS, QUARANTINE_DAYS
from shared.contracts.decision import Said

HOLDERS = ("customer", "survey", "feedback")
"""Services that keep words or names of a person, all under the one key that is destroyed."""


def erase(state: Customer, contact_id: str | None, request_id: str, now: datetime) -> list[Said]:
    """Forget a contact, or else the whole file with its contacts. Raises ContactUnknown and CustomerErased."""
    if contact_id is None and state.erased_at is not None:
        raise CustomerErased(f"customer {state.code} was erased before; its certificate is under …/erasures")
    if contact_id is not None and contact_id not in state.contacts:
        raise ContactUnknown(f"customer {state.code} has no contact {contact_id}; list them with GET …/contacts")
    event = said.ErasureCompleted(
        customer_id=state.customer_id,
        contact_id=contact_id,
        request_id=request_id,
        completed_at=now,
        services=list(HOLDERS),
        intake_empty_at=now + timedelta(days=INTAKE_DAYS),
        quarantine_empty_at=now + timedelta(days=QUARANTINE_DAYS),
        dims=state.dims_now("manyi", {}, None),
    )
    return [Said(event, now)]
