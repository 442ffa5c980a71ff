"""Rules: opening a file, completing a provisional one, changing it, and what is added to it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict

from services.customer.model.customer import BUSINESS, DIMENSIONS, OPEN, PERSONAL, Customer
from services.customer.model.filing import Code
from shared.contracts import customer as said
from shared.contracts.decision import Invalid, NotFound, Refusal, Said, TooEarly


class CustomerAlreadyRegistered(Refusal):
    SLUG = "customer-already-registered"


class CustomerErased(Refusal):
    """Who was forgotten is written about again only after a new registration (PIPL 47)."""

    SLUG = "customer-erased"
    KEEPS = False


class CustomerUnknown(NotFound):
    SLUG = "customer-unknown"


class NoLawfulBasis(Invalid):
    """Personal data is kept on a lawful basis or not at all (S2-14, PIPL 13)."""

    SLUG = "no-lawful-basis"


class PartnerRefused(Invalid):
    SLUG = "channel-partner-refused"


class About(BaseModel):
    """Who a statement is about and who makes it: a foreign id, our id, when, and whose calendar day counts.

    `code` is the one of the file, should the statement open it.
    """

    model_config = ConfigDict(frozen=True)
    customer_id: str
    source: str
    external_id: str
    time: datetime
    timezone: str | None = None
    code: Code | None = None
    origin: str | None = None
    """The file that the foreign id names by itself, where that one is merged into another."""
    basis: str | None = None
    """On which lawful basis the source hands over personal data, where it names none itself."""

    @property
    def new_code(self) -> Code:
        """The code of the file that this statement opens."""
        if self.code is None:
            raise ValueError("a file is opened only by a task that asks for a number")
        return self.code

    @property
    def beside(self) -> dict[str, str]:
        """What the private part of an order or a contract says of where it comes from."""
        known = {"timezone": self.timezone, "origin": self.origin}
        return {name: value for name, value in known.items() if value is not None}


def opening(state: Customer | None, about: About) -> list[Said]:
    """A provisional file for somebody first heard of by what happened to him; nothing when a file exists."""
    if state is not None:
        return []
    event = said.CustomerCreated(
        customer_id=about.customer_id,
        code=about.new_code.code,
        lifecycle="active",
        contact_at=about.time,
        lawful_basis=about.basis,
        provisional=True,
        dims={"source": about.source},
    )
    private = {"known_as": {about.source: about.external_id}}
    return [Said(event, about.time, private, about.timezone, about.new_code.policy_version)]


def dims_after(
    state: Customer | None, about: About, own: Mapping[str, str], product_line: str | None
) -> dict[str, str]:
    """Dimensions of a fact about a customer whose file may only just be opening."""
    if state is not None:
        return state.dims_now(about.source, own, product_line)
    line = {"product_line": product_line} if product_line is not None else {}
    return {"kind": "direct", **line, **own, "source": about.source}


def unless_erased(state: Customer | None) -> None:
    """Refuse what would bring personal data back. Raises CustomerErased."""
    if state is not None and state.erased_at is not None:
        raise CustomerErased(
            f"customer {state.code} was erased at their request, and nothing personal is kept: register them anew "
            "first, with a lawful basis"
        )


def at_hand(customer_id: str, state: Customer | None) -> Customer:
    """A file that something new may be about. Raises CustomerUnknown, also for a merged one, and CustomerErased."""
    if state is None:
        raise CustomerUnknown(f"there is no customer {customer_id}; open the file with POST /v1/customers")
    if state.merged_into is not None:
        raise CustomerUnknown(f"{state.code} is merged into {state.merged_into}; name that customer")
    unless_erased(state)
    return state


def register(state: Customer | None, about: About, fields: Mapping[str, Any]) -> list[Said]:
    """Open a file with its fields, or complete the provisional one.

    Raises CustomerAlreadyRegistered when a full file exists, CustomerErased without a lawful basis after an erasure,
    NoLawfulBasis.
    """
    if state is None:
        return [_created(about, _on_a_basis(None, about, fields))]
    if fields.get("lawful_basis") is None:
        unless_erased(state)
    fields = _on_a_basis(state, about, fields)
    if not state.provisional:
        raise CustomerAlreadyRegistered(
            f"customer {state.code} is registered already; send customer.changed (or PATCH) to change the file"
        )
    return [_updated(state, about, fields)]


def check_partner(fields: Mapping[str, Any], kind: str, partner: Customer | None) -> None:
    """A channel partner is a known customer, and only indirect customers have one (S3-12). Raises PartnerRefused."""
    partner_id = fields.get("partner_id")
    if partner_id is None:
        return
    if kind != "indirect":
        raise PartnerRefused("only an indirect customer has a channel partner; say kind indirect, or leave it out")
    if partner is None:
        raise PartnerRefused(f"there is no customer {partner_id} to be the channel partner; open that file first")


def change(state: Customer | None, about: About, fields: Mapping[str, Any]) -> list[Said]:
    """Change the given fields; a statement older than the one in force changes nothing.

    Raises TooEarly, CustomerErased, NoLawfulBasis.
    """
    if state is None:
        raise TooEarly(f"customer {about.customer_id} is not registered yet")
    unless_erased(state)
    _on_a_basis(state, about, fields)
    newer = {
        name: value
        for name, value in fields.items()
        if value is not None and (name not in state.told_at or state.told_at[name] <= about.time)
    }
    if all(_current(state, name) == value for name, value in newer.items()):
        return []
    return [_updated(state, about, newer)]


def _on_a_basis(state: Customer | None, about: About, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields with the basis that a person's data rests on: named, the file's, or the source's. Raises."""
    named = fields.get("lawful_basis") or (state.lawful_basis if state is not None else None)
    if named is not None or not any(fields.get(name) for name in PERSONAL):
        return fields
    if about.basis is None:
        raise NoLawfulBasis("say on which lawful basis (lawfulBasis) this person's data is kept, or leave it out")
    return {**fields, "lawful_basis": about.basis}


def _current(state: Customer, name: str) -> Any:
    if name == "dims":
        return state.dims
    return getattr(state, name)


def _created(about: About, fields: Mapping[str, Any]) -> Said:
    given = {name: value for name, value in fields.items() if value is not None}
    dims = {**given.get("dims", {}), **{name: given[name] for name in DIMENSIONS if name in given}}
    event = said.CustomerCreated(
        customer_id=about.customer_id,
        code=about.new_code.code,
        kind=cast("Literal['direct', 'indirect']", given.get("kind", "direct")),
        grade=given.get("grade"),
        owner_id=given.get("owner_id"),
        source_channel=given.get("channel"),
        lawful_basis=given.get("lawful_basis"),
        partner_id=given.get("partner_id"),
        contact_at=about.time,
        dims={**dims, "source": about.source},
    )
    private = {name: given[name] for name in (*PERSONAL, *OPEN) if name in given}
    private["known_as"] = {about.source: about.external_id}
    private["told_at"] = dict.fromkeys(given, about.time)
    return Said(event, about.time, private, about.timezone, about.new_code.policy_version)


def _updated(state: Customer, about: About, fields: Mapping[str, Any]) -> Said:
    given = {name: value for name, value in fields.items() if value is not None}
    values = {name: given[name] for name in (*BUSINESS, "dims") if name in given}
    dims = {**state.dims_now(about.source, given.get("dims", {}), None)}
    dims.update({name: given[name] for name in DIMENSIONS if name in given})
    completes = "kind" in given or "lawful_basis" in given or not state.provisional
    event = said.CustomerUpdated(
        customer_id=state.customer_id,
        changed=sorted(given),
        values=values,
        provisional=state.provisional and not completes,
        dims=dims,
    )
    private = {name: given[name] for name in (*PERSONAL, *OPEN) if name in given}
    private["told_at"] = dict.fromkeys(given, about.time)
    if about.source not in state.known_as:
        private["known_as"] = {about.source: about.external_id}
    return Said(event, about.time, private, about.timezone)


def add_contact(state: Customer | None, about: About, contact_id: str, person: Mapping[str, Any]) -> list[Said]:
    """A person at a customer, kept on the person's own basis or on the file's; opens a provisional file if need be.

    Raises CustomerErased, NoLawfulBasis.
    """
    unless_erased(state)
    kept = _on_a_basis(state, about, person)
    if "lawful_basis" not in kept and state is not None and state.lawful_basis is not None:
        kept = {**kept, "lawful_basis": state.lawful_basis}
    event = said.ContactAdded(customer_id=about.customer_id, contact_id=contact_id, dims={"source": about.source})
    return [*opening(state, about), Said(event, about.time, dict(kept), about.timezone, person=contact_id)]


def log_interaction(
    state: Customer | None,
    about: About,
    interaction_id: str,
    kind: str,
    details: Mapping[str, Any],
    note: str | None,
    policy_version: str | None = None,
) -> list[Said]:
    """Somebody spoke with the customer; what was said stays here (S1-02). Raises CustomerErased for a note.

    `policy_version` is the one that knows the kind; what other systems tell is taken as it is.
    """
    if note is not None:
        unless_erased(state)
    event = said.InteractionLogged(
        customer_id=about.customer_id,
        interaction_id=interaction_id,
        kind=kind,
        at=about.time,
        dims=dims_after(state, about, {}, None),
        **details,
    )
    words = {} if note is None else {"note": note}
    return [*opening(state, about), Said(event, about.time, words, about.timezone, policy_version)]
