"""Orders from `order.placed`, `order.paid`, `order.cancelled` and `order.refunded`."""

from datetime import date
from functools import lru_cache

from services.customer.desk import Desk
from services.customer.model.customer import Customer
from services.customer.model.entitlements import Terms, forfeited, rewarded
from services.customer.model.files import About
from services.customer.model.purchases import cancel, pay, place, refund
from shared.contracts import intake
from shared.contracts.decision import Said, Scene
from shared.plumbing.intake import Heard, Understood
from shared.plumbing.journal import Task
from shared.policy.policies import LimitUnset, Policies


def understood(desk: Desk) -> list[Understood]:
    """The intake types of this use case."""

    def purchase_of(heard: Heard, order: str) -> str:
        return desk.identity.of("purchase", heard.source, order)

    def placed(heard: Heard) -> Task[Customer]:
        data: intake.OrderPlaced = heard.data
        who, purchase = desk.about(heard, data.customer), purchase_of(heard, data.order)

        def rule(state: Customer | None, who: About, scene: Scene) -> list[Said]:
            told = place(state, who, purchase, data.amount, data.currency, data.product_line, data.dims)
            terms = _reward(desk.policies, desk.day(scene.now))
            return [*told, *rewarded(state, who, purchase, terms, scene.now, desk.zone)]

        return desk.seeing_task(who, rule, purchases=purchase)

    def paid(heard: Heard) -> Task[Customer]:
        data: intake.OrderPaid = heard.data
        who, purchase = desk.about(heard, data.customer), purchase_of(heard, data.order)
        return desk.task(who, lambda state, who: pay(state, who, purchase, data.method), purchases=purchase)

    def cancelled(heard: Heard) -> Task[Customer]:
        data: intake.OrderCancelled = heard.data
        who, purchase = desk.about(heard, data.customer), purchase_of(heard, data.order)

        def rule(state: Customer | None, who: About) -> list[Said]:
            told = cancel(state, who, purchase)
            return [*told, *forfeited(state, who, purchase, told)]

        return desk.task(who, rule, purchases=purchase, entitlements=purchase)

    def refunded(heard: Heard) -> Task[Customer]:
        data: intake.OrderRefunded = heard.data
        who, purchase = desk.about(heard, data.customer), purchase_of(heard, data.order)

        def rule(state: Customer | None, who: About) -> list[Said]:
            told = refund(state, who, purchase, data.amount)
            return [*told, *forfeited(state, who, purchase, told)]

        return desk.task(who, rule, purchases=purchase, entitlements=purchase)

    return [
        Understood(intake.OrderPlaced, placed),
        Understood(intake.OrderPaid, paid),
        Understood(intake.OrderCancelled, cancelled),
        Understood(intake.OrderRefunded, refunded),
    ]


@lru_cache(maxsize=8)
def _reward(policies: Policies, on: date) -> Terms | None:
    """What a repurchase earns on a day (S3-21); nothing while it is not set, and the order is taken all the same."""
    try:
        return Terms.of(policies, "repurchase", on)
    except LimitUnset:
        return None
