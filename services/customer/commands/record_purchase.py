"""Orders from `order.placed`, `order.paid`, `order.cancelled` and `order.refunded`."""

from services.customer.desk import Desk
from services.customer.model.customer import Customer
from services.customer.model.purchases import cancel, pay, place, refund
from shared.contracts import intake
from shared.plumbing.intake import Heard, Understood
from shared.plumbing.journal import Task


def understood(desk: Desk) -> list[Understood]:
    """The intake types of this use case."""

    def purchase_of(heard: Heard, order: str) -> str:
        return desk.identity.of("purchase", heard.source, order)

    def placed(heard: Heard) -> Task[Customer]:
        data: intake.OrderPlaced = heard.data
        who, purchase = desk.about(heard, data.customer), purchase_of(heard, data.order)
        return desk.task(
            who,
            lambda state, who: place(state, who, purchase, data.amount, data.currency, data.product_line, data.dims),
            purchases=purchase,
        )

    def paid(heard: Heard) -> Task[Customer]:
        data: intake.OrderPaid = heard.data
        who, purchase = desk.about(heard, data.customer), purchase_of(heard, data.order)
        return desk.task(who, lambda state, who: pay(state, who, purchase, data.method), purchases=purchase)

    def cancelled(heard: Heard) -> Task[Customer]:
        data: intake.OrderCancelled = heard.data
        who, purchase = desk.about(heard, data.customer), purchase_of(heard, data.order)
        return desk.task(who, lambda state, who: cancel(state, who, purchase), purchases=purchase)

    def refunded(heard: Heard) -> Task[Customer]:
        data: intake.OrderRefunded = heard.data
        who, purchase = desk.about(heard, data.customer), purchase_of(heard, data.order)
        return desk.task(who, lambda state, who: refund(state, who, purchase, data.amount), purchases=purchase)

    return [
        Understood(intake.OrderPlaced, placed),
        Understood(intake.OrderPaid, paid),
        Understood(intake.OrderCancelled, cancelled),
        Understood(intake.OrderRefunded, refunded),
    ]
