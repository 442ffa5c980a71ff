"""Orders and contracts of a customer, and what was spoken with them: as known now, or as recorded by a moment."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from services.customer.model.parts import Contract, Interaction, Purchase
from services.customer.views.customer_file import MASKS, AsOf, Reading, Shown
from services.customer.views.holding import held
from shared.contracts.envelope import Code, Moment
from shared.plumbing.journal import Ledger
from shared.policy.permission.masking import masked

Limit = Annotated[int, Query(ge=1, le=1000)]


class ShownPurchase(Shown):
    """An order: amounts in minor currency units; void ones are cancelled or fully refunded."""

    purchase_id: str
    amount: int
    refunded: int
    currency: str
    product_line: str | None = None
    occurred_at: Moment
    cancelled: bool
    paid: bool


class ShownContract(Shown):
    """A contract: `monthlyAmount` in minor currency units; without `endsAt` it is open-ended."""

    contract_id: str
    monthly_amount: int
    currency: str
    product_line: str | None = None
    starts_at: Moment
    ends_at: Moment | None = None


class LoggedInteraction(Shown):
    """A conversation with its note."""

    interaction_id: str
    kind: str
    at: Moment
    channel: str | None = None
    staff_id: str | None = None
    needs: list[str] = []
    note: str | None = None


def as_interaction(interaction_id: str, interaction: Interaction) -> dict[str, Any]:
    """One conversation as JSON."""
    shown = LoggedInteraction.model_validate({**interaction.model_dump(), "interaction_id": interaction_id})
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)


def routes(ledger: Ledger) -> APIRouter:
    """GET …/purchases, …/contracts and …/interactions below /v1/customers/{customer_id}."""
    router = APIRouter(prefix="/v1/customers/{customer_id}", tags=["customers"])

    @router.get("/purchases", response_model_exclude_none=True, summary="Orders of a customer, newest first")
    async def purchases(
        customer_id: Code, permit: Reading, limit: Limit = 200, as_of: AsOf = None
    ) -> list[ShownPurchase]:
        found, _ = await held(ledger, customer_id, permit, "purchases", ("occurred_at", -1), limit, as_of)
        return [
            ShownPurchase.model_validate({**one.part.model_dump(), "purchase_id": one.part_id})
            for one in found
            if isinstance(one.part, Purchase)
        ]

    @router.get("/contracts", response_model_exclude_none=True, summary="Contracts of a customer, newest first")
    async def contracts(
        customer_id: Code, permit: Reading, limit: Limit = 200, as_of: AsOf = None
    ) -> list[ShownContract]:
        found, _ = await held(ledger, customer_id, permit, "contracts", ("starts_at", -1), limit, as_of)
        return [
            ShownContract.model_validate({**one.part.model_dump(), "contract_id": one.part_id})
            for one in found
            if isinstance(one.part, Contract)
        ]

    @router.get(
        "/interactions", response_model_exclude_none=True, summary="Conversations with a customer, newest first"
    )
    async def interactions(
        customer_id: Code, permit: Reading, limit: Limit = 200, as_of: AsOf = None
    ) -> list[LoggedInteraction]:
        found, fields = await held(ledger, customer_id, permit, "interactions", ("at", -1), limit, as_of)
        return [
            LoggedInteraction.model_validate(masked(as_interaction(one.part_id, one.part), MASKS, fields))
            for one in found
            if isinstance(one.part, Interaction)
        ]

    return router


async def prepare(ledger: Ledger) -> None:
    """Indexes of the lists above; safe to repeat."""
    await ledger.database["purchases"].create_index("occurred_at")
    for collection, moment in (("purchases", "occurred_at"), ("contracts", "starts_at"), ("interactions", "at")):
        await ledger.database[collection].create_index([("owner", 1), (moment, -1)])
