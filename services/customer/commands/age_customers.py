"""Time passes: customers without business become dormant, then churned (S3-13). A chore, repeatable at any time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.customer.desk import STORED, Desk
from services.customer.model.customer import FOR_EVER, Customer
from services.customer.model.lifecycle import LIVELY, Business, Patience, aged
from shared.contracts.decision import Said, Scene
from shared.plumbing.journal import Ledger, Task
from shared.plumbing.timers import fire

AT_ONCE = 500
VALID = {"cancelled": False, "$expr": {"$or": [{"$eq": ["$refunded", 0]}, {"$lt": ["$refunded", "$amount"]}]}}
"""Orders of which something is left."""


class Ageing:
    """Looks at customers whose last known business is long ago, a few hundred at a time, and begins anew at the end."""

    def __init__(self, ledger: Ledger, desk: Desk) -> None:
        self._ledger = ledger
        self._desk = desk
        self._passed = ""

    async def step(self) -> int:
        """Take the next few hundred; answers how many were looked at, 0 at the end of a round."""
        now = self._ledger.clock.now()
        patience = Patience.of(self._desk.policies, self._desk.day(now))
        query = {**_perhaps_quiet(now, patience), "_id": {"$gt": self._passed}, "merged_into": None}
        found = await self._ledger.database["customers"].find(query, {"_id": 1}).sort("_id", 1).limit(AT_ONCE).to_list()
        for document in found:
            customer_id = document["_id"]
            await fire(self._ledger, [[_task(customer_id, await self._business(customer_id), patience)]])
        self._passed = found[-1]["_id"] if len(found) == AT_ONCE else ""
        return len(found)

    async def _business(self, customer_id: str) -> Business:
        database = self._ledger.database
        last = await database["purchases"].find_one({"owner": customer_id, **VALID}, sort=[("occurred_at", -1)])
        contracts = await database["contracts"].find({"owner": customer_id}, {"ends_at": 1}).to_list()
        ends = [one["ends_at"] or FOR_EVER for one in contracts]
        return Business(last["occurred_at"] if last else None, max(ends, default=None))


def _task(customer_id: str, business: Business, patience: Patience) -> Task[Customer]:
    def rule(state: Customer | None, scene: Scene) -> Sequence[Said]:
        return aged(state, business, patience, scene.now)

    return Task(STORED, customer_id, rule)


def _perhaps_quiet(now: datetime, patience: Patience) -> dict[str, Any]:
    ordered = {"$or": [{"ordered_at": None}, {"ordered_at": {"$lt": now - patience.dormant_after}}]}
    contracted = {"$or": [{"contracted_until": None}, {"contracted_until": {"$lt": now}}]}
    gone = {
        "lifecycle": "dormant",
        "$or": [{"ordered_at": None}, {"ordered_at": {"$lt": now - patience.churned_after}}],
    }
    return {"$or": [{"lifecycle": {"$in": list(LIVELY)}, "$and": [ordered, contracted]}, gone]}
