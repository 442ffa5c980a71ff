"""Purchases and repurchase: orders, order days, who bought again (METRICS D20, plain counts)."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from services.reporting.metrics.complaints import counted, share
from services.reporting.metrics.metric import FIRST_DAY, Answer, Metric, Narrowing, Range, Tally, Window
from shared.plumbing.projection import Entry, Fact, Point

NEVER = "-"
"""Month of an order day that does not exist; sorts before every month."""


class Purchases:
    """Valid orders of a customer, and the customer's distinct order days.

    Points: `n` and `amount:CUR` on the order's day; `days` once for each order day; and, in the month of an order
    day, `after:p|q` with the months of the customer's previous order day and of the one before: who bought in a
    month-aligned window for the first and for the second time follows from these alone (ARCHITECTURE §5).
    """

    name = "purchases"
    rows = None

    def entries(self, fact: Fact) -> Sequence[Entry]:
        return [(order["dims"], order) for order in fact["orders"].values()]

    def points(self, part: Sequence[Entry], whole: Fact) -> Iterable[Point]:
        points: list[Point] = []
        for _, order in part:
            points.append(("n", order["day"], 1))
            points.append((f"amount:{order['currency']}", order["day"], order["amount"]))
        previous = one_before = NEVER
        for day in order_days(part):
            points.append(("days", day, 1))
            points.append((f"after:{previous}|{one_before}", day[:7], 1))
            previous, one_before = day[:7], previous
        return points


def order_days(part: Sequence[Entry]) -> list[str]:
    """Distinct days of the orders, ascending: orders of one day merge (METRICS D20)."""
    return sorted({order["day"] for _, order in part})


def weigh(part: Sequence[Entry], whole: Fact, window: Window) -> Tally:
    """One customer's orders in any window."""
    orders = [entry for entry in part if window.holds(entry[1]["day"])]
    if not orders:
        return {}
    days = len(order_days(orders))
    tally: Tally = {"n": len(orders), "days": days, "buyers": 1, "repeaters": int(days > 1)}
    for _, order in orders:
        name = f"amount:{order['currency']}"
        tally[name] = tally.get(name, 0) + order["amount"]
    return tally


def whole_months(window: Window) -> Mapping[str, Range] | None:
    """Distinct customers are known by month: other windows need the facts."""
    return {"in": window.range} if window.month_aligned else None


def gather(sums: Mapping[str, Tally], window: Window) -> Tally:
    """Buyers: order days whose previous is before the window. Repeaters: previous inside, the one before not."""
    tally = dict(sums["in"])
    start = (window.start or FIRST_DAY)[:7]
    tally["buyers"] = tally["repeaters"] = 0
    for name, amount in sums["in"].items():
        if name.startswith("after:"):
            previous, _, one_before = name.removeprefix("after:").partition("|")
            if previous < start:
                tally["buyers"] += amount
            elif one_before < start:
                tally["repeaters"] += amount
    return tally


def purchases_answer(tally: Tally, narrowing: Narrowing) -> Answer:
    n = tally.get("n", 0)
    return Answer(n, n, n, more={"amounts": amounts(tally, "amount:")})


def amounts(tally: Tally, prefix: str) -> dict[str, int]:
    """Sums by currency, in minor units."""
    return {
        name.removeprefix(prefix): amount
        for name, amount in sorted(tally.items())
        if amount and name.startswith(prefix)
    }


def repeat_purchases(tally: Tally, narrowing: Narrowing) -> Answer:
    repeats = tally.get("days", 0) - tally.get("buyers", 0)
    return Answer(repeats, tally.get("buyers", 0), repeats)


def metrics(family: Purchases, projection: str, z: float) -> tuple[Metric, ...]:
    """The metrics of this theme."""

    def of(
        name: str, en: str, zh: str, unit: str, clause: str, formula: str, answer: Callable[[Tally, Narrowing], Answer]
    ) -> Metric:
        return Metric(name, en, zh, unit, clause, formula, projection, family, weigh, answer)

    def of_customers(
        name: str, en: str, zh: str, unit: str, clause: str, formula: str, answer: Callable[[Tally, Narrowing], Answer]
    ) -> Metric:
        return Metric(name, en, zh, unit, clause, formula, projection, family, weigh, answer, whole_months, gather)

    return (
        of(
            "purchases",
            "Purchases",
            "有效订单数",
            "orders",
            "Plain counts",
            "distinct valid orders by day, cancelled and fully refunded ones out; amounts in minor units",
            purchases_answer,
        ),
        of(
            "purchase_days",
            "Purchase days",
            "购买天数",
            "customer days",
            "Plain counts",
            "distinct (customer, local day) with a valid order",
            counted("days"),
        ),
        of_customers(
            "repeat_purchases",
            "Repeat purchases",
            "重复购买次数",
            "customer days",
            "Plain counts",
            "Σ over customers of (purchase days in the period − 1)",
            repeat_purchases,
        ),
        of_customers(
            "repurchase_rate",
            "Repurchase rate",
            "复购率",
            "percent",
            "D20",
            "customers with orders on two or more days in the period ÷ customers with an order in it",
            share("repeaters", "buyers", z),
        ),
    )
