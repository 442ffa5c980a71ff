"""Rules: orders, their payment, cancelling and refunding. An order is a purchase until nothing of it is left."""

from collections.abc import Mapping

from services.customer.model.customer import Customer
from services.customer.model.files import About, dims_after, opening
from services.customer.model.lifecycle import awakened
from services.customer.model.parts import Purchase
from shared.contracts import customer as said
from shared.contracts.decision import Refusal, Said, TooEarly


class OrderAlreadyRecorded(Refusal):
    SLUG = "order-already-recorded"


class OrderAlreadyCancelled(Refusal):
    SLUG = "order-already-cancelled"


class RefundExceedsOrder(Refusal):
    SLUG = "refund-exceeds-order"


def place(
    state: Customer | None,
    about: About,
    purchase_id: str,
    amount: int,
    currency: str,
    product_line: str | None,
    dims: Mapping[str, str],
) -> list[Said]:
    """Record an order at the time it was placed; `amount` in minor units."""
    if state is not None and purchase_id in state.purchases:
        raise OrderAlreadyRecorded("this order is recorded already; there is nothing more to do")
    event = said.PurchaseRecorded(
        customer_id=about.customer_id,
        purchase_id=purchase_id,
        product_line=product_line,
        amount=amount,
        currency=currency,
        occurred_at=about.time,
        dims=dims_after(state, about, dims, product_line),
    )
    order = Said(event, about.time, about.beside, about.timezone)
    return [*opening(state, about), order, *awakened(state, about.time, "order", about.source)]


def _known(state: Customer | None, purchase_id: str) -> Purchase:
    purchase = state.purchases.get(purchase_id) if state is not None else None
    if purchase is None:
        raise TooEarly("the order has not been placed yet")
    return purchase


def pay(state: Customer | None, about: About, purchase_id: str, method: str | None) -> list[Said]:
    """The order was paid."""
    purchase = _known(state, purchase_id)
    if purchase.paid:
        return []
    event = said.PurchasePaid(customer_id=about.customer_id, purchase_id=purchase_id, method=method, dims=purchase.dims)
    return [Said(event, about.time, timezone=purchase.timezone)]


def cancel(state: Customer | None, about: About, purchase_id: str) -> list[Said]:
    """The whole order is void."""
    purchase = _known(state, purchase_id)
    if purchase.cancelled:
        raise OrderAlreadyCancelled("this order is cancelled already; there is nothing more to do")
    event = said.PurchaseCancelled(
        customer_id=about.customer_id,
        purchase_id=purchase_id,
        amount=purchase.amount,
        currency=purchase.currency,
        occurred_at=purchase.occurred_at,
        dims=purchase.dims,
    )
    return [Said(event, about.time, timezone=purchase.timezone)]


def refund(state: Customer | None, about: About, purchase_id: str, amount: int) -> list[Said]:
    """Money of an order went back; `amount` in minor units, of this refund alone."""
    purchase = _known(state, purchase_id)
    refunded = purchase.refunded + amount
    if refunded > purchase.amount:
        left = purchase.amount - purchase.refunded
        raise RefundExceedsOrder(
            f"only {left} of {purchase.amount} minor units are left of this order; send no more than that"
        )
    event = said.PurchaseRefunded(
        customer_id=about.customer_id,
        purchase_id=purchase_id,
        amount=purchase.amount,
        refunded=refunded,
        full=refunded == purchase.amount,
        currency=purchase.currency,
        occurred_at=purchase.occurred_at,
        dims=purchase.dims,
    )
    return [Said(event, about.time, timezone=purchase.timezone)]
