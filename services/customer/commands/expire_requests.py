"""Deadlines of requests for money pass: a chain escalates or lapses, an emergency nobody ratified is a violation."""

from collections.abc import Sequence
from typing import Any

from services.customer.desk import Desk
from services.customer.drawing import STORED, drawing
from services.customer.model.requesting import expire
from services.customer.model.spending import Spending
from services.customer.staffing import Staffing
from shared.contracts.decision import Said, Scene
from shared.plumbing.database import Document
from shared.plumbing.journal import Ledger, Task
from shared.plumbing.timers import come_by, fire
from shared.policy.approvals.escalating import Ladder

AT_ONCE = 200


class Expiring:
    """A chore, repeatable at any time: what it finds due is decided on the request as it stands then."""

    def __init__(self, ledger: Ledger, desk: Desk, staffing: Staffing) -> None:
        self._ledger = ledger
        self._desk = desk
        self._staffing = staffing

    async def step(self) -> int:
        """Take those whose deadline has come by the ledger's clock; answers how many were looked at."""
        come = come_by(self._ledger.clock.now())
        cursor = self._ledger.database[STORED.collection].find(come, {"kind": 1, "budget": 1}).sort("timer_at", 1)
        found = await cursor.limit(AT_ONCE).to_list()
        if found:
            ladder = await self._staffing.ladder()
            await fire(self._ledger, [self._tasks(document, ladder) for document in found])
        return len(found)

    def _tasks(self, document: Document, ladder: Ladder) -> list[Task[Any]]:
        def rule(state: Spending | None, scene: Scene) -> Sequence[Said]:
            return expire(state, scene.now, ladder)

        today = self._desk.today()
        task, also = drawing(self._desk, document["kind"], document["_id"], document.get("budget"), rule, today)
        return [task, *also]
