"""Customers as facts: their valid orders and their contracts, as days of the calendar they count on."""

from collections.abc import Sequence
from typing import Any

from services.reporting.configuration import Definition
from services.reporting.metrics.churn import Activity
from services.reporting.metrics.purchases import Purchases
from shared.contracts import customer, merges
from shared.contracts.envelope import Event
from shared.plumbing.projection import Fact, Family, Heard, Unfit

LAST_YEAR = 9000
"""Foreign systems write 9999-12-31 for "never": ends from here on are open."""
LARGEST_AMOUNT = 10**14
"""Minor units; a sum of 90,000 of them still fits 64 bits."""


class Customers:
    """Folds purchases and contracts of one customer. A void order is not there; an open end is null."""

    name = "customers"
    kind = customer.CustomerEvent.SUBJECT
    hears: frozenset[type[Event]] = frozenset(
        {
            customer.PurchaseRecorded,
            customer.PurchaseCancelled,
            customer.PurchaseRefunded,
            customer.ContractSigned,
            customer.ContractChanged,
            customer.ContractRenewed,
            customer.ContractEnded,
            merges.CustomersMerged,
            merges.PurchaseAdopted,
            merges.PurchaseReleased,
            merges.ContractAdopted,
            merges.ContractReleased,
        }
    )

    def __init__(self, definition: Definition) -> None:
        self.purchases = Purchases()
        self.activity = Activity(definition.dormancy_days)
        self.families: Sequence[Family] = (self.purchases, self.activity)

    def fold(self, fact: Fact | None, heard: Heard) -> Fact:
        known = fact or NOTHING_LEFT
        said = heard.said
        match said:
            case merges.PurchaseAdopted() if said.cancelled or (said.refunded and said.refunded >= said.amount):
                return known
            case customer.PurchaseRecorded() | merges.PurchaseAdopted():
                orders = {**known["orders"], said.purchase_id: _order(heard, said)}
                return {**known, "orders": orders}
            case merges.CustomersMerged():
                return NOTHING_LEFT if said.customer_id == said.merged_id else known
            case customer.PurchaseCancelled() | merges.PurchaseReleased():
                return _without(known, said.purchase_id)
            case customer.PurchaseRefunded():
                return _without(known, said.purchase_id) if said.full else known
            case customer.ContractSigned():
                return _signed(known, heard, said)
            case merges.ContractAdopted():
                return _adopted(known, heard, said)
            case merges.ContractReleased():
                left = {key: one for key, one in known["contracts"].items() if key != said.contract_id}
                return {**known, "contracts": left}
            case customer.ContractChanged():
                _check_amount(said.monthly_amount)
                contract = known["contracts"].get(said.contract_id, UNSIGNED)
                if contract.get("currency", said.currency) != said.currency:
                    raise Unfit("a contract's amounts are in one currency")
                changed = {**contract["changed"], heard.next_midnight(said.at): said.monthly_amount}
                return _with(known, said.contract_id, {**contract, "changed": changed})
            case customer.ContractRenewed():
                contract = known["contracts"].get(said.contract_id, UNSIGNED)
                end = None if said.ends_at is None else _end(heard, said.ends_at)
                return _with(known, said.contract_id, {**contract, "end": end})
            case customer.ContractEnded():
                contract = known["contracts"].get(said.contract_id, UNSIGNED)
                return _with(known, said.contract_id, {**contract, "end": _end(heard, said.ended_at)})
        raise Unfit("not about purchases or contracts")


NOTHING_LEFT: Fact = {"orders": {}, "contracts": {}}
"""A customer without business, such as a file that was merged into another."""
UNSIGNED: Fact = {"start": None, "end": None, "changed": {}}
"""A contract known by a later step alone: kept, and not counted until it is signed."""


def _order(heard: Heard, said: customer.PurchaseRecorded | merges.PurchaseAdopted) -> Fact:
    _check_amount(said.amount)
    return {
        "day": heard.day(said.occurred_at),
        "active": heard.next_midnight(said.occurred_at),
        "amount": said.amount,
        "currency": said.currency,
        "dims": _dims(said.dims, said.product_line),
    }


def _signed(known: Fact, heard: Heard, said: customer.ContractSigned) -> Fact:
    _check_amount(said.monthly_amount)
    former = known["contracts"].get(said.contract_id, UNSIGNED)
    contract = {
        **former,
        "start": heard.next_midnight(said.starts_at),
        "end": _end(heard, said.ends_at) if said.ends_at is not None else former["end"],
        "amount": said.monthly_amount,
        "currency": said.currency,
        "dims": _dims(said.dims, said.product_line),
    }
    return _with(known, said.contract_id, contract)


def _adopted(known: Fact, heard: Heard, said: merges.ContractAdopted) -> Fact:
    """The contract as it would be, had all that happened to it been told here."""
    for amount in (said.monthly_amount, *(change.monthly_amount for change in said.changes)):
        _check_amount(amount)
    contract = {
        "start": heard.next_midnight(said.starts_at),
        "end": _end(heard, said.ends_at) if said.ends_at is not None else None,
        "changed": {heard.next_midnight(change.at): change.monthly_amount for change in said.changes},
        "amount": said.monthly_amount,
        "currency": said.currency,
        "dims": _dims(said.dims, said.product_line),
    }
    return _with(known, said.contract_id, contract)


def _end(heard: Heard, moment: Any) -> str | None:
    return None if moment.year >= LAST_YEAR else heard.next_midnight(moment)


def _dims(dims: dict[str, str], product_line: str | None) -> dict[str, str]:
    return dict(dims) if product_line is None else {**dims, "product_line": product_line}


def _with(known: Fact, contract_id: str, contract: Fact) -> Fact:
    return {**known, "contracts": {**known["contracts"], contract_id: contract}}


def _without(known: Fact, purchase_id: str) -> Fact:
    if purchase_id not in known["orders"]:
        return known
    return {**known, "orders": {key: order for key, order in known["orders"].items() if key != purchase_id}}


def _check_amount(amount: int) -> None:
    if abs(amount) > LARGEST_AMOUNT:
        raise Unfit("an amount is larger than any company's")
