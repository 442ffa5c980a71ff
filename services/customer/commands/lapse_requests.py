"""What nobody decides in time lapses or is escalated: requests for key fields and for merges (S2-15, S2-19)."""

from collections.abc import Callable, Mapping
from datetime import datetime

from services.customer.desk import STORED
from services.customer.model import key_changes, merge_requests
from services.customer.model.customer import Customer
from services.customer.staffing import Staffing
from shared.contracts.decision import Said, Scene
from shared.plumbing.journal import Ledger, Task
from shared.plumbing.timers import fire
from shared.policy.approvals.escalating import Ladder

AT_ONCE = 200
LAPSING_EVERY_S = 30.0
Rule = Callable[[Customer | None, str, datetime, Ladder], list[Said]]
RULES: Mapping[str, Rule] = {"key_changes": key_changes.lapse, "merge_requests": merge_requests.lapse}
"""Part of a file → the rule that ends one of its requests, or says who hears of it."""


class Lapsing:
    """A chore, repeatable at any time: what it finds due is decided on the request as it stands then."""

    def __init__(self, ledger: Ledger, staffing: Staffing) -> None:
        self._ledger = ledger
        self._staffing = staffing

    async def prepare(self) -> None:
        """The indexes by which the due ones are found; safe to repeat."""
        for part in RULES:
            await self._ledger.database[part].create_index([("approval.status", 1), ("approval.alarm_at", 1)])

    async def step(self) -> int:
        """Take those whose deadline has come by the ledger's clock; answers how many were looked at."""
        by_now = {"$lte": self._ledger.clock.now()}
        of_one_level = {"approval.escalated": False, "approval.due_at": by_now}  # stored before there were several
        come = {"approval.status": "pending", "$or": [{"approval.alarm_at": by_now}, of_one_level]}
        looked_at = 0
        for part, rule in RULES.items():
            found = await self._ledger.database[part].find(come, {"owner": 1}).limit(AT_ONCE).to_list()
            looked_at += len(found)
            if found:
                ladder = await self._staffing.ladder()
                await fire(self._ledger, [[_task(part, one["owner"], one["_id"], rule, ladder)] for one in found])
        return looked_at


def _task(part: str, customer_id: str, request_id: str, rule: Rule, ladder: Ladder) -> Task[Customer]:
    def lapse(state: Customer | None, scene: Scene) -> list[Said]:
        return rule(state, request_id, scene.now, ladder)

    return Task(STORED, customer_id, lapse, {part: frozenset({request_id})}, follow=False)
