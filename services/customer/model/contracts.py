"""Rules: contracts and their recurring revenue. The later statement about an amount or an end wins, in any order."""

from collections.abc import Mapping
from datetime import datetime

from services.customer.model.customer import Customer
from services.customer.model.files import About, dims_after, opening
from services.customer.model.lifecycle import awakened
from services.customer.model.parts import Contract
from shared.contracts import customer as said
from shared.contracts.decision import Invalid, Refusal, Said, TooEarly


class ContractAlreadySigned(Refusal):
    SLUG = "contract-already-signed"


class ContractEndsBeforeStart(Invalid):
    SLUG = "contract-ends-before-start"


def sign(
    state: Customer | None,
    about: About,
    contract_id: str,
    monthly_amount: int,
    currency: str,
    product_line: str | None,
    period: tuple[datetime, datetime | None],
    dims: Mapping[str, str],
) -> list[Said]:
    """A contract runs over `period` (start, end or None); `monthly_amount` in minor units."""
    if state is not None and contract_id in state.contracts:
        raise ContractAlreadySigned("this contract is recorded already; there is nothing more to do")
    starts_at, ends_at = period
    if ends_at is not None and ends_at < starts_at:
        raise ContractEndsBeforeStart("a contract cannot end before it starts; check startsAt and endsAt")
    event = said.ContractSigned(
        customer_id=about.customer_id,
        contract_id=contract_id,
        product_line=product_line,
        monthly_amount=monthly_amount,
        currency=currency,
        starts_at=starts_at,
        ends_at=ends_at,
        dims=dims_after(state, about, dims, product_line),
    )
    contract = Said(event, about.time, about.beside, about.timezone)
    return [*opening(state, about), contract, *awakened(state, starts_at, "contract", about.source)]


def _known(state: Customer | None, contract_id: str) -> Contract:
    contract = state.contracts.get(contract_id) if state is not None else None
    if contract is None:
        raise TooEarly("the contract has not been signed yet")
    return contract


def change(state: Customer | None, about: About, contract_id: str, monthly_amount: int) -> list[Said]:
    """The recurring amount differs from the statement's time on."""
    contract = _known(state, contract_id)
    event = said.ContractChanged(
        customer_id=about.customer_id,
        contract_id=contract_id,
        monthly_amount=monthly_amount,
        currency=contract.currency,
        at=about.time,
        dims=contract.dims,
    )
    return [Said(event, about.time, timezone=contract.timezone)]


def renew(state: Customer | None, about: About, contract_id: str, ends_at: datetime | None) -> list[Said]:
    """The contract runs on; an older statement than the one in force about its end says nothing new."""
    contract = _known(state, contract_id)
    if about.time < contract.end_told_at:
        return []
    if ends_at is not None and ends_at < contract.starts_at:
        raise ContractEndsBeforeStart("a contract cannot end before it starts; check endsAt")
    event = said.ContractRenewed(
        customer_id=about.customer_id, contract_id=contract_id, ends_at=ends_at, at=about.time, dims=contract.dims
    )
    return [Said(event, about.time, timezone=contract.timezone)]


def end(state: Customer | None, about: About, contract_id: str, reason: str | None) -> list[Said]:
    """The contract is over from the statement's time on."""
    contract = _known(state, contract_id)
    if about.time < contract.starts_at:
        raise ContractEndsBeforeStart("the contract starts later than it is said to end; check the event's time")
    if about.time < contract.end_told_at:
        return []
    event = said.ContractEnded(
        customer_id=about.customer_id,
        contract_id=contract_id,
        ended_at=about.time,
        reason=reason,
        dims=contract.dims,
    )
    return [Said(event, about.time, timezone=contract.timezone)]
