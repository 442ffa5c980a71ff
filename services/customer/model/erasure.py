"""Rules: a person is forgotten, a whole file or one contact of it (PIPL 47). Facts without names stay counted."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.customer.model.contacts import ContactUnknown
from services.customer.model.customer import Customer
from services.customer.model.files import CustomerErased
from shared.contracts import customer as said
from shared.contracts.catalogue import INTAKE_DAYS, QUARANTINE_DAYS
from shared.contracts.decision import Refusal, Said

HOLDERS = ("customer", "survey", "feedback")
"""Services that keep words or names of a person, all under the one key that is destroyed."""


class MergedMeanwhile(Refusal):
    SLUG = "merged-meanwhile"


def erase(state: Customer, contact_id: str | None, request_id: str, now: datetime, files: Sequence[str]) -> list[Said]:
    """Forget a contact, or else the whole file with its contacts; `files` are all that one request forgets.

    Raises ContactUnknown, CustomerErased, and MergedMeanwhile where another file is one with this one by now.
    """
    if contact_id is None and (others := set(state.absorbed) - set(files)):
        raise MergedMeanwhile(f"{', '.join(sorted(others))} was merged into {state.code} just now; ask once more")
    if contact_id is None and state.erased_at is not None:
        raise CustomerErased(f"customer {state.code} was erased before; read its certificate under …/erasures")
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
        files=list(files),
        dims=state.dims_now("manyi", {}, None),
    )
    return [Said(event, now)]
