"""What nobody decides in time lapses or is escalated: requests for key fields and for merges (S2-15, S2-19)."""

from collections.abc import Callable, Mapping

from services.customer.desk import STORED
from services.customer.model import key_changes, merge_requests
from services.customer.model.customer import Customer
from shared.contracts.decision import Said, Scene
from shared.plumbing.journal import Ledger, Task
from shared.plumbing.timers import fire

AT_ONCE = 200
LAPSING_EVERY_S = 30.0
Rule = Callable[[Customer | None, Scene], list[Said]]
RULES: Mapping[str, Callable[[str], Rule]] = {
    "key_changes": lambda request_id: lambda state, scene: key_changes.lapse(state, request_id, scene.now),
    "merge_requests": lambda merge_id: lambda state, scene: merge_requests.lapse(state, merge_id, scene.now),
}
"""Part of a file → for the id of a request the rule that ends it."""


class Lapsing:
    """A chore, repeatable at any time: what it finds due is decided on the request as it stands then."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def prepare(self) -> None:
        """The indexes by which the due ones are found; safe to repeat."""
        for part in RULES:
            await self._ledger.database[part].create_index([("approval.status", 1), ("approval.due_at", 1)])

    async def step(self) -> int:
        """Take those whose deadline has come by the ledger's clock; answers how many were looked at."""
        overdue = {"approval.status": "pending", "approval.due_at": {"$lte": self._ledger.clock.now()}}
        come = {**overdue, "approval.escalated": False}
        looked_at = 0
        for part, rule in RULES.items():
            found = await self._ledger.database[part].find(come, {"owner": 1}).limit(AT_ONCE).to_list()
            looked_at += len(found)
            await fire(self._ledger, [[_task(part, one["owner"], one["_id"], rule)] for one in found])
        return looked_at


def _task(part: str, customer_id: str, request_id: str, rule: Callable[[str], Rule]) -> Task[Customer]:
    return Task(STORED, customer_id, rule(request_id), {part: frozenset({request_id})}, follow=False)
