"""Rules: people at a customer, and the product lines they have to do with (S2-10, S4-14)."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.customer.model.customer import Customer
from services.customer.model.files import About, NoLawfulBasis, unless_erased
from services.customer.model.parts import Contact
from shared.contracts import customer as said
from shared.contracts.decision import NotFound, Said


class ContactUnknown(NotFound):
    SLUG = "contact-unknown"


def change_contact(state: Customer, about: About, contact_id: str, person: Mapping[str, Any]) -> list[Said]:
    """Change what is known of a person; null forgets a field. Raises ContactUnknown, CustomerErased, NoLawfulBasis."""
    unless_erased(state)
    contact = _known(state, contact_id)
    if "lawful_basis" in person and person["lawful_basis"] is None:
        raise NoLawfulBasis("a person's data is kept on a lawful basis: name another, or erase the person")
    changed = {name: value for name, value in person.items() if getattr(contact, name) != value}
    if not changed:
        return []
    event = said.ContactChanged(
        customer_id=state.customer_id,
        contact_id=contact_id,
        changed=sorted(changed),
        dims=state.dims_now(about.source, {}, None),
    )
    return [Said(event, about.time, changed, person=contact_id)]


def link_products(state: Customer, about: About, contact_id: str, lines: Sequence[str]) -> list[Said]:
    """Say which product lines a person has to do with, all of them. Raises ContactUnknown."""
    contact = _known(state, contact_id)
    wanted = sorted(set(lines))
    if contact.product_lines == wanted:
        return []
    event = said.ContactProductsLinked(
        customer_id=state.customer_id,
        contact_id=contact_id,
        product_lines=wanted,
        dims=state.dims_now(about.source, {}, None),
    )
    return [Said(event, about.time)]


def _known(state: Customer, contact_id: str) -> Contact:
    contact = state.contacts.get(contact_id)
    if contact is None:
        raise ContactUnknown(f"customer {state.code} has no contact {contact_id}; list them, or add the person")
    return contact
