"""How a request for money and the budget it draws on change together: both in one transaction, or neither."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from services.customer.desk import STORED as CUSTOMERS
from services.customer.desk import Desk
from services.customer.model import budgets, spending
from services.customer.model.budgets import Budget
from services.customer.model.requesting import RequestUnknown
from services.customer.model.spending import Spending, key_of
from shared.contracts.decision import Said, Scene
from shared.contracts.spending import Kind
from shared.plumbing.journal import Aggregate, Ledger, Task

STORED = Aggregate(
    "spendings",
    Spending,
    spending.evolve,
    lambda state: key_of(state.customers, state.request_id),
    owner=lambda state: state.approval.request.requester,
)
BUDGETS = Aggregate("budgets", Budget, budgets.evolve, lambda state: state.budget_id)
Rule = Callable[[Spending | None, Scene], Sequence[Said]]
Both = tuple[Task[Spending], list[Task[Any]]]


def drawing(
    desk: Desk,
    kind: Kind,
    request_id: str,
    budget_id: str | None,
    rule: Rule,
    on: date,
    customers: Sequence[str] = (),
) -> Both:
    """The task on a request, and that on its budget, which takes or gives back what the first one makes of it.

    With `customers` the rule looks at their files, and the caller's right is asked about them.
    """
    before: list[int] = []

    def decide(state: Spending | None, scene: Scene) -> Sequence[Said]:
        before[:] = [0 if state is None else state.claim]
        return rule(state, scene)

    def draw(state: Budget | None, scene: Scene) -> Sequence[Said]:
        after: Spending | None = scene.others[request_id]
        taken = 0 if after is None else after.claim
        return budgets.change(state, kind, request_id, taken - before[0], desk.policies, on, scene.now)

    files = tuple((CUSTOMERS, one) for one in customers)
    person = customers[0] if len(customers) == 1 else None
    task = Task(STORED, request_id, decide, others=files, person=person, rows=files)
    return task, [] if budget_id is None else [Task(BUDGETS, budget_id, draw, others=((STORED, request_id),))]


async def stored(ledger: Ledger, kind: Kind, request_id: str) -> dict[str, Any]:
    """What of a stored request never changes: its budget and customers. Raises RequestUnknown."""
    wanted = {"_id": request_id, "kind": kind}
    document = await ledger.database[STORED.collection].find_one(wanted, {"budget": 1, "customers": 1})
    if document is None:
        raise RequestUnknown(f"there is no {kind} request {request_id}; list them first")
    return document
