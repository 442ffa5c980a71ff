"""How each event changes a customer file: the state is the fold of them, public and private part."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.customer.model.cared import looked_after
from services.customer.model.claims import claimed
from services.customer.model.cleaning import cleaned
from services.customer.model.consents import consented
from services.customer.model.customer import DIMENSIONS, FOR_EVER, OPEN, PERSONAL, Customer
from services.customer.model.entitled import entitled
from services.customer.model.parts import (
    Contact,
    Interaction,
    Purchase,
    contract_after,
    key_change_after,
    merge_request_after,
    purchase_after,
)
from services.customer.model.spoken import joined, parted, spoken
from services.customer.model.telling_apart import told_apart
from shared.contracts import care, consent, duplicates, key_changes, merges, quality, rights
from shared.contracts import customer as said
from shared.contracts.entitlements import EntitlementEvent
from shared.contracts.envelope import Event


def evolve(state: Customer | None, event: Event, private: Mapping[str, Any]) -> Customer:
    """Fold one event, public and private part, into the state."""
    if isinstance(event, said.CustomerCreated):
        return _created(event, private)
    if state is None:
        raise ValueError(f"{event.TYPE} cannot be the first event of a customer")
    match event:
        case said.CustomerUpdated():
            return _updated(state, event, private)
        case merges.CustomersMerged() | merges.CustomersUnmerged():
            return _regrouped(state, event)
        case merges.PurchaseReleased():
            kept = {name: one for name, one in state.purchases.items() if name != event.purchase_id}
            return state.model_copy(update={"purchases": kept, "ordered_at": None})
        case merges.ContractReleased():
            left = {name: one for name, one in state.contracts.items() if name != event.contract_id}
            return state.model_copy(update={"contracts": left, "contracted_until": None})
        case (
            said.PurchaseRecorded()
            | merges.PurchaseAdopted()
            | said.PurchasePaid()
            | said.PurchaseCancelled()
            | said.PurchaseRefunded()
        ):
            purchase = purchase_after(state.purchases.get(event.purchase_id), event, private)
            orders = {**state.purchases, event.purchase_id: purchase}
            return state.model_copy(update={"purchases": orders, "ordered_at": _ordered_at(state, purchase)})
        case (
            said.ContractSigned()
            | merges.ContractAdopted()
            | said.ContractChanged()
            | said.ContractRenewed()
            | said.ContractEnded()
        ):
            contract = contract_after(state.contracts.get(event.contract_id), event, private)
            until = _contracted_until(state, event)
            return state.model_copy(
                update={"contracts": {**state.contracts, event.contract_id: contract}, "contracted_until": until}
            )
        case said.ContactAdded():
            contacts = {**state.contacts, event.contact_id: Contact.model_validate(private)}
            return state.model_copy(update={"contacts": contacts})
        case key_changes.KeyChangeEvent():
            asked = key_change_after(state.key_changes.get(event.request_id), event, private)
            return state.model_copy(update={"key_changes": {**state.key_changes, event.request_id: asked}})
        case merges.MergeRequestEvent():
            wanted = merge_request_after(state.merge_requests.get(event.merge_id), event, private)
            return state.model_copy(update={"merge_requests": {**state.merge_requests, event.merge_id: wanted}})
        case said.ContactChanged():
            contact = Contact.model_validate({**state.contacts[event.contact_id].model_dump(), **private})
            return state.model_copy(update={"contacts": {**state.contacts, event.contact_id: contact}})
        case said.ContactProductsLinked():
            contact = state.contacts[event.contact_id].model_copy(update={"product_lines": event.product_lines})
            return state.model_copy(update={"contacts": {**state.contacts, event.contact_id: contact}})
        case said.ErasureCompleted():
            return _erased(state, event)
        case said.CustomerLifecycleChanged():
            return state.model_copy(update={"lifecycle": event.after})
        case said.CustomerGraded():
            return state.model_copy(update={"grade": event.after, "grade_fixed": event.cause == "override"})
        case said.InteractionLogged():
            logged = Interaction.model_validate({**event.model_dump(), **private})
            conversations = {**state.interactions, event.interaction_id: logged}
            return state.model_copy(update={"interactions": conversations, **spoken(state, event.at)})
        case EntitlementEvent():
            return state.model_copy(update=entitled(state, event, private))
        case care.CareEvent():
            return state.model_copy(update=looked_after(state, event, private))
        case consent.ConsentEvent():
            return state.model_copy(update={"consents": consented(state, event, private)})
        case duplicates.LikenessEvent():
            return state.model_copy(update=told_apart(state, event, private))
        case rights.RightEvent():
            return state.model_copy(update=claimed(state, event, private))
        case quality.QualityEvent():
            return state.model_copy(update=cleaned(state, event, private))
        case _:
            raise ValueError(f"{event.TYPE} is not an event of a customer")


def _created(event: said.CustomerCreated, private: Mapping[str, Any]) -> Customer:
    fields = event.model_dump()
    fields["channel"] = fields.pop("source_channel")
    fields["contacted_at"] = fields["contact_at"]
    dims = fields.pop("dims")
    own = {name: dims.pop(name) for name in DIMENSIONS if name in dims and name != "kind"}
    return Customer.model_validate({**fields, **own, "dims": _without_source(dims), **private})


def _updated(state: Customer, event: said.CustomerUpdated, private: Mapping[str, Any]) -> Customer:
    told_at = {**state.told_at, **private.get("told_at", {})}
    known_as = {**state.known_as, **private.get("known_as", {})}
    fields = {**event.values, **private, "told_at": told_at, "known_as": known_as, "provisional": event.provisional}
    fields["erased_at"] = state.erased_at if event.provisional else None
    if "dims" in event.values:
        fields["dims"] = {**state.dims, **event.values["dims"]}
    return Customer.model_validate({**state.model_dump(exclude=set(Customer.PARTS)), **fields, **_parts(state)})


def _regrouped(state: Customer, event: merges.CustomersMerged | merges.CustomersUnmerged) -> Customer:
    """Merged away a file has no business of its own, until it is unmerged."""
    together = isinstance(event, merges.CustomersMerged)
    if state.customer_id == event.merged_id:
        fields: dict[str, Any] = {"merged_into": event.survivor_id if together else None}
        if together:
            given_up: dict[str, Any] = {"purchases": {}, "contracts": {}, "entitlements": {}}
            fields.update(given_up | {"ordered_at": None, "contracted_until": None})
        return state.model_copy(update=fields)
    others = [one for one in state.absorbed if one != event.merged_id]
    if isinstance(event, merges.CustomersMerged):
        heard = joined(state, event.merged_id, event.contacted_at)
        return state.model_copy(update={"absorbed": [*others, event.merged_id], **heard})
    return state.model_copy(update={"absorbed": others, **parted(state, event.merged_id)})


def _erased(state: Customer, event: said.ErasureCompleted) -> Customer:
    """Nothing personal is left; the parts of a whole file are emptied where they are stored."""
    if event.contact_id is not None:
        contact = Contact(product_lines=state.contacts[event.contact_id].product_lines)
        days = {name: one for name, one in state.care_days.items() if one.contact_id != event.contact_id}
        wished = {name: one for name, one in state.greetings.items() if one.contact_id != event.contact_id}
        contacts = {**state.contacts, event.contact_id: contact}
        return state.model_copy(update={"contacts": contacts, "care_days": days, "greetings": wished})
    emptied: dict[str, Any] = dict.fromkeys((*PERSONAL, *OPEN))
    emptied |= {"known_as": {}, "told_at": {}, "provisional": True, "erased_at": event.completed_at, "timers": {}}
    return state.model_copy(update=emptied)


def _ordered_at(state: Customer, purchase: Purchase) -> datetime | None:
    if not purchase.void:
        return max(state.ordered_at or purchase.occurred_at, purchase.occurred_at)
    return None if state.ordered_at == purchase.occurred_at else state.ordered_at


def _contracted_until(state: Customer, event: said.CustomerEvent) -> datetime | None:
    match event:
        case said.ContractSigned() | merges.ContractAdopted():
            end = event.ends_at or FOR_EVER
            return max(state.contracted_until or end, end)
        case said.ContractChanged():
            return state.contracted_until
        case _:
            return None


def _parts(state: Customer) -> dict[str, Any]:
    return {name: getattr(state, name) for name in Customer.PARTS}


def _without_source(dims: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in dims.items() if name not in ("source", *DIMENSIONS)}
