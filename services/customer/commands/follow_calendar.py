"""The business calendar was edited: open requests are due by it, with an event that says before and after (Q1)."""

from collections.abc import Callable, Mapping
from datetime import datetime

from services.customer.desk import STORED, Desk
from services.customer.drawing import STORED as SPENDINGS
from services.customer.model import key_changes, merge_requests, promotions, requesting
from services.customer.model.customer import Customer
from services.customer.model.spending import Spending
from services.customer.model.staff import Staff
from services.customer.staffing import STORED as STAFF
from shared.contracts.decision import Said, Scene
from shared.plumbing.database import Document
from shared.plumbing.journal import Ledger, Task
from shared.plumbing.timers import fire
from shared.policy.approvals.approval import OPEN
from shared.policy.calendar.business import Calendar

AT_ONCE = 200
CALENDAR_EVERY_S = 60.0
Rule = Callable[[Customer | None, str, Calendar, datetime], list[Said]]
RULES: Mapping[str, Rule] = {"key_changes": key_changes.reschedule, "merge_requests": merge_requests.reschedule}
"""Part of a file → the rule that counts the deadline of one of its requests anew."""


class Rescheduling:
    """A chore, repeatable at any time: what was counted by another calendar is counted by today's."""

    def __init__(self, ledger: Ledger, desk: Desk) -> None:
        self._ledger = ledger
        self._desk = desk

    async def step(self) -> int:
        """Answers how many requests were looked at. Raises LimitUnset while no pack declares a calendar."""
        calendar, now = self._desk.policies.calendar(self._desk.today()), self._ledger.clock.now()
        found = await self._soonest(SPENDINGS.collection, spendings_of(calendar.version, now), "timer_at")
        await fire(self._ledger, [[_spending(one["_id"], calendar)] for one in found])
        looked_at = len(found)
        for part, rule in RULES.items():
            found = await self._soonest(part, parts_of(calendar.version, now), "approval.alarm_at")
            await fire(self._ledger, [[_request(part, one["owner"], one["_id"], rule, calendar)] for one in found])
            looked_at += len(found)
        found = await self._soonest(STAFF.collection, nominees_of(calendar.version, now), "timer_at")
        await fire(self._ledger, [[_nominee(one["_id"], calendar)] for one in found])
        return looked_at + len(found)

    async def _soonest(self, collection: str, query: Document, index: str) -> list[Document]:
        """Those due soonest: what lies in a year that nobody has announced yet keeps nobody else waiting."""
        cursor = self._ledger.database[collection].find(query, {"owner": 1}).sort(index, 1)
        return await cursor.limit(AT_ONCE).to_list()


def spendings_of(version: str, now: datetime) -> Document:
    """Open requests for money whose deadline lies ahead and was counted by another calendar than this version."""
    counted = {"approval.due_at": {"$gt": now}, "approval.calendar_version": {"$ne": version}}
    return {"timer_at": {"$type": "date", "$gt": now}, **counted}


def parts_of(version: str, now: datetime) -> Document:
    """The same of the requests within files."""
    counted = {"approval.due_at": {"$gt": now}, "approval.calendar_version": {"$ne": version}}
    return {"approval.status": {"$in": sorted(OPEN)}, **counted}


def nominees_of(version: str, now: datetime) -> Document:
    """People with such a nomination; nominations stand in their people's states, by their ids."""
    approval = "$$this.v.approval"
    ahead = [{"$in": [f"{approval}.status", sorted(OPEN)]}, {"$gt": [f"{approval}.due_at", now]}]
    counted = {"$and": [*ahead, {"$ne": [f"{approval}.calendar_version", version]}]}
    nominations = {"$objectToArray": {"$ifNull": ["$promotions", {}]}}
    return {
        "timer_at": {"$type": "date"},
        "$expr": {"$anyElementTrue": {"$map": {"input": nominations, "in": counted}}},
    }


def _spending(request_id: str, calendar: Calendar) -> Task[Spending]:
    def rule(state: Spending | None, scene: Scene) -> list[Said]:
        return requesting.reschedule(state, calendar, scene.now)

    return Task(SPENDINGS, request_id, rule)


def _nominee(staff_id: str, calendar: Calendar) -> Task[Staff]:
    def rule(state: Staff | None, scene: Scene) -> list[Said]:
        return promotions.reschedule(state, calendar, scene.now)

    return Task(STAFF, staff_id, rule)


def _request(part: str, customer_id: str, request_id: str, rule: Rule, calendar: Calendar) -> Task[Customer]:
    def reschedule(state: Customer | None, scene: Scene) -> list[Said]:
        return rule(state, request_id, calendar, scene.now)

    return Task(STORED, customer_id, reschedule, {part: frozenset({request_id})}, follow=False)
