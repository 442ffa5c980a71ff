"""Contracts from `contract.signed`, `contract.changed`, `contract.renewed` and `contract.ended`."""

from services.customer.desk import Desk
from services.customer.model.contracts import change, end, renew, sign
from services.customer.model.customer import Customer
from shared.contracts import intake
from shared.plumbing.intake import Heard, Understood
from shared.plumbing.journal import Task


def understood(desk: Desk) -> list[Understood]:
    """The intake types of this use case."""

    def contract_of(heard: Heard, contract: str) -> str:
        return desk.identity.of("contract", heard.source, contract)

    def signed(heard: Heard) -> Task[Customer]:
        data: intake.ContractSigned = heard.data
        who, contract = desk.about(heard, data.customer), contract_of(heard, data.contract)
        period = (data.starts_at or heard.time, data.ends_at)
        terms = (data.monthly_amount, data.currency, data.product_line)
        return desk.task(
            who,
            lambda state, who: sign(state, who, contract, *terms, period, data.dims),
            contracts=contract,
        )

    def changed(heard: Heard) -> Task[Customer]:
        data: intake.ContractChanged = heard.data
        who, contract = desk.about(heard, data.customer), contract_of(heard, data.contract)
        return desk.task(who, lambda state, who: change(state, who, contract, data.monthly_amount), contracts=contract)

    def renewed(heard: Heard) -> Task[Customer]:
        data: intake.ContractRenewed = heard.data
        who, contract = desk.about(heard, data.customer), contract_of(heard, data.contract)
        return desk.task(who, lambda state, who: renew(state, who, contract, data.ends_at), contracts=contract)

    def ended(heard: Heard) -> Task[Customer]:
        data: intake.ContractEnded = heard.data
        who, contract = desk.about(heard, data.customer), contract_of(heard, data.contract)
        return desk.task(who, lambda state, who: end(state, who, contract, data.reason), contracts=contract)

    return [
        Understood(intake.ContractSigned, signed),
        Understood(intake.ContractChanged, changed),
        Understood(intake.ContractRenewed, renewed),
        Understood(intake.ContractEnded, ended),
    ]
