"""State of one customer file and how each event changes it (S0-34 一客一档)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from shared.contracts import customer as said
from shared.contracts.envelope import Event
from shared.contracts.state import Part, State

PERSONAL = ("name", "phone", "email", "address", "needs")
"""Fields that never leave this service and are sealed at rest."""
BUSINESS = ("kind", "grade", "region", "industry", "size", "channel", "owner_id", "lawful_basis", "partner_id")
"""Fields that events may carry."""
OPEN = ("company", "credit_code")
"""Fields about an organisation: stored open, to be searched by, and never on the bus."""
DIMENSIONS = ("grade", "region", "industry", "size", "channel", "kind")
"""Fields copied into every fact as they were when it happened (ARCHITECTURE §3)."""


class Purchase(Part):
    """One order; void once it is cancelled or fully refunded. Amounts in minor currency units."""

    amount: int
    currency: str
    product_line: str | None = None
    occurred_at: datetime
    timezone: str | None = None
    dims: dict[str, str] = {}
    refunded: int = 0
    cancelled: bool = False
    paid: bool = False


class Contract(Part):
    """One contract; `ends_at` None is open-ended. `*_told_at` is when the statement in force was made."""

    monthly_amount: int
    currency: str
    product_line: str | None = None
    starts_at: datetime
    ends_at: datetime | None = None
    timezone: str | None = None
    dims: dict[str, str] = {}
    amount_told_at: datetime
    end_told_at: datetime
    ended: bool = False


class Contact(Part):
    """A person at the customer."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"name", "post", "phone", "email"})
    name: str | None = None
    post: str | None = None
    phone: str | None = None
    email: str | None = None


class Interaction(Part):
    """One conversation; `note` is what was said."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"note"})
    kind: str
    at: datetime
    channel: str | None = None
    staff_id: str | None = None
    needs: list[str] = []
    note: str | None = None


class Customer(State):
    """The head of a file. `told_at` says, field by field, when the value in force was stated: the later one wins."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({*PERSONAL, "known_as"})
    PARTS: ClassVar[Mapping[str, tuple[str, type[Part]]]] = {
        "purchases": ("purchases", Purchase),
        "contracts": ("contracts", Contract),
        "contacts": ("contacts", Contact),
        "interactions": ("interactions", Interaction),
    }

    customer_id: str
    code: str
    kind: str = "direct"
    lifecycle: str = "prospect"
    provisional: bool = False
    grade: str | None = None
    region: str | None = None
    industry: str | None = None
    size: str | None = None
    channel: str | None = None
    owner_id: str | None = None
    lawful_basis: str | None = None
    partner_id: str | None = None
    """The channel partner through whom an indirect customer buys (S3-12)."""
    company: str | None = None
    credit_code: str | None = None
    dims: dict[str, str] = {}
    contact_at: datetime | None = None
    told_at: dict[str, datetime] = {}
    name: str | None = None
    phone: str | None = None
    email: str | None = None
    address: str | None = None
    needs: str | None = None
    known_as: dict[str, str] = {}
    """Source → external id."""

    purchases: dict[str, Purchase] = {}
    contracts: dict[str, Contract] = {}
    contacts: dict[str, Contact] = {}
    interactions: dict[str, Interaction] = {}

    def dims_now(self, source: str, own: Mapping[str, str], product_line: str | None) -> dict[str, str]:
        """Dimensions of a fact that happens to this customer now; what the fact itself says wins."""
        mine = {name: value for name in DIMENSIONS if (value := getattr(self, name)) is not None}
        line = {"product_line": product_line} if product_line is not None else {}
        return {**mine, **self.dims, **line, **own, "source": source}


def evolve(state: Customer | None, event: Event, private: Mapping[str, Any]) -> Customer:
    """Fold one event, public and private part, into the state."""
    if isinstance(event, said.CustomerCreated):
        return _created(event, private)
    if state is None:
        raise ValueError(f"{event.TYPE} cannot be the first event of a customer")
    match event:
        case said.CustomerUpdated():
            return _updated(state, event, private)
        case said.PurchaseRecorded() | said.PurchasePaid() | said.PurchaseCancelled() | said.PurchaseRefunded():
            purchase = _purchase(state.purchases.get(event.purchase_id), event, private)
            return state.model_copy(update={"purchases": {**state.purchases, event.purchase_id: purchase}})
        case said.ContractSigned() | said.ContractChanged() | said.ContractRenewed() | said.ContractEnded():
            contract = _contract(state.contracts.get(event.contract_id), event, private)
            return state.model_copy(update={"contracts": {**state.contracts, event.contract_id: contract}})
        case said.ContactAdded():
            contacts = {**state.contacts, event.contact_id: Contact.model_validate(private)}
            return state.model_copy(update={"contacts": contacts})
        case said.InteractionLogged():
            logged = Interaction.model_validate({**event.model_dump(), **private})
            return state.model_copy(update={"interactions": {**state.interactions, event.interaction_id: logged}})
        case _:
            raise ValueError(f"{event.TYPE} is not an event of a customer")


def _created(event: said.CustomerCreated, private: Mapping[str, Any]) -> Customer:
    fields = event.model_dump()
    fields["channel"] = fields.pop("source_channel")
    dims = fields.pop("dims")
    own = {name: dims.pop(name) for name in DIMENSIONS if name in dims and name != "kind"}
    return Customer.model_validate({**fields, **own, "dims": _without_source(dims), **private})


def _updated(state: Customer, event: said.CustomerUpdated, private: Mapping[str, Any]) -> Customer:
    told_at = {**state.told_at, **private.get("told_at", {})}
    known_as = {**state.known_as, **private.get("known_as", {})}
    fields = {**event.values, **private, "told_at": told_at, "known_as": known_as, "provisional": event.provisional}
    if "dims" in event.values:
        fields["dims"] = {**state.dims, **event.values["dims"]}
    return Customer.model_validate({**state.model_dump(exclude=set(Customer.PARTS)), **fields, **_parts(state)})


def _parts(state: Customer) -> dict[str, Any]:
    return {name: getattr(state, name) for name in Customer.PARTS}


def _without_source(dims: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in dims.items() if name not in ("source", *DIMENSIONS)}


def _purchase(before: Purchase | None, event: said.CustomerEvent, private: Mapping[str, Any]) -> Purchase:
    if isinstance(event, said.PurchaseRecorded):
        return Purchase.model_validate({**event.model_dump(), "timezone": private.get("timezone")})
    if before is None:
        raise ValueError("the purchase is not loaded")
    match event:
        case said.PurchaseCancelled():
            return before.model_copy(update={"cancelled": True})
        case said.PurchaseRefunded():
            return before.model_copy(update={"refunded": event.refunded})
        case _:
            return before.model_copy(update={"paid": True})


def _contract(before: Contract | None, event: said.CustomerEvent, private: Mapping[str, Any]) -> Contract:
    if isinstance(event, said.ContractSigned):
        told = {"amount_told_at": event.starts_at, "end_told_at": event.starts_at}
        return Contract.model_validate({**event.model_dump(), **told, "timezone": private.get("timezone")})
    if before is None:
        raise ValueError("the contract is not loaded")
    match event:
        case said.ContractChanged():
            if event.at < before.amount_told_at:
                return before
            return before.model_copy(update={"monthly_amount": event.monthly_amount, "amount_told_at": event.at})
        case said.ContractRenewed():
            return before.model_copy(update={"ends_at": event.ends_at, "end_told_at": event.at, "ended": False})
        case said.ContractEnded():
            return before.model_copy(update={"ends_at": event.ended_at, "end_told_at": event.ended_at, "ended": True})
        case _:
            raise ValueError(f"{event.TYPE} is not an event of a contract")
