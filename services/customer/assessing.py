"""How good every file is, kept beside the files: looked at again when a file changes or the policies do.

`qualities` holds what does not depend on the day; what is stale is asked by the time of the last verification.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pymongo import ReplaceOne

from services.customer.desk import STORED, Desk
from services.customer.model.cleaning import close
from services.customer.model.customer import FOR_EVER, Customer
from services.customer.model.quality import (
    NEVER,
    Yardstick,
    is_void,
    problems_of,
    quality,
    verified_at,
    written_problems,
)
from shared.contracts.decision import Said, Scene
from shared.plumbing.commands import perform
from shared.plumbing.database import Document
from shared.plumbing.journal import OWNER, Cause, Ledger, Loaded, Stale, Task
from shared.plumbing.timers import leased
from shared.policy.policies import LimitUnset

QUALITIES = "qualities"
ASSESSING_EVERY_S = 1.5
AT_ONCE = 500
LATE = timedelta(seconds=30)
"""A file may become visible a little later than one recorded after it: half a minute later each is looked at again."""
AGAIN = "qualities-again"


class Assessing:
    """Chore: assesses what has changed, in the order in which it was recorded, and closes the tasks that are done.

    Of several processes one does it: what each finds, the others would find as well.
    """

    def __init__(self, ledger: Ledger, desk: Desk) -> None:
        self._ledger = ledger
        self._desk = desk
        self._customers = ledger.database["customers"]
        self._qualities = ledger.database[QUALITIES]
        self._marks = ledger.database["marks"]
        self._holder = uuid.uuid4().hex

    async def prepare(self) -> None:
        """Indexes; safe to repeat."""
        await self._customers.create_index([("recorded", 1), ("_id", 1)])
        await self._qualities.create_index([("worth", 1), ("_id", 1)], partialFilterExpression={"invalid": True})
        await self._qualities.create_index([("verified_at", 1), ("_id", 1)])
        await self._ledger.database["cleanings"].create_index([("owner", 1), ("status", 1)])
        await self._ledger.database["cleanings"].create_index([("status", 1), ("due_at", 1), ("_id", 1)])

    async def step(self) -> int:
        """Catch up, a page after the other; answers how many were assessed. None is, while a needed policy is unset."""
        try:
            measure = self._desk.measure(self._ledger.clock.now())
        except LimitUnset:
            return 0
        assessed = 0
        for mark, until in ((QUALITIES, FOR_EVER), (AGAIN, self._ledger.clock.now() - LATE)):
            full = True
            while full and await leased(self._ledger, QUALITIES, self._holder):
                fresh, full = await self._page(mark, until, measure)
                assessed += fresh
        return assessed

    async def _page(self, name: str, until: datetime, measure: Yardstick) -> tuple[int, bool]:
        """Take the next few hundred: how many of them were assessed, and whether more may wait behind them."""
        mark = await self._marks.find_one({"_id": name}) or {}
        if mark.get("policy") != measure.version:
            mark = {"policy": measure.version, "recorded": NEVER, "customer": ""}
        behind = [
            {"recorded": {"$gt": mark["recorded"], "$lt": until}},
            {"recorded": mark["recorded"], "_id": {"$gt": mark["customer"]}},
        ]
        cursor = self._customers.find({"$or": behind}, {"recorded": 1, "version": 1})
        found = await cursor.sort([("recorded", 1), ("_id", 1)]).limit(AT_ONCE).to_list()
        if not found:
            return 0, False
        fresh = await self._unassessed(found, measure)
        documents = await self._customers.find({"_id": {"$in": fresh}}).to_list() if fresh else []
        await self._assess(await self._ledger.read_heads(STORED, documents), measure, self._ledger.clock.now())
        reached = {"recorded": found[-1]["recorded"], "customer": found[-1]["_id"]}
        await self._marks.replace_one({"_id": name}, {**mark, **reached}, upsert=True)
        return len(fresh), len(found) == AT_ONCE

    async def _unassessed(self, found: Sequence[Document], measure: Yardstick) -> list[str]:
        ids = [one["_id"] for one in found]
        query = {"_id": {"$in": ids}, "policy": measure.version}
        known = {one["_id"]: one["version"] async for one in self._qualities.find(query, {"version": 1})}
        return [one["_id"] for one in found if known.get(one["_id"]) != one["version"]]

    async def _assess(self, heads: Sequence[Loaded[Customer]], measure: Yardstick, now: datetime) -> None:
        states = [(one.state, one.version) for one in heads if one.state is not None]
        if not states:
            return
        cleaning = {"owner": {"$in": [state.customer_id for state, _ in states]}, "status": "open"}
        for customer_id in await self._ledger.database["cleanings"].distinct("owner", cleaning):
            task = Task(STORED, customer_id, self._closing, whole=frozenset({"cleanings"}), follow=False)
            try:
                await perform(self._ledger, [task], Cause("cleaning"))
            except Stale:  # somebody is busy with this file, so it will be looked at again
                continue
        documents = [_document(state, version, measure) for state, version in states]
        await self._qualities.bulk_write(
            [ReplaceOne({"_id": one["_id"]}, one, upsert=True) for one in documents], ordered=False
        )

    def _closing(self, state: Customer | None, scene: Scene) -> Sequence[Said]:
        if state is None:
            return []
        return close(state, problems_of(state, self._desk.measure(scene.now)), is_void(state), scene.now)


def _document(state: Customer, version: int, measure: Yardstick) -> dict[str, Any]:
    found = quality(state, measure)
    problems = [] if is_void(state) else written_problems(state, measure.filing)
    return {
        "_id": state.customer_id,
        OWNER: state.owner_id,
        "version": version,
        "policy": measure.version,
        "completeness": found.completeness,
        "validity": found.validity,
        "worth": (found.completeness + found.validity) // 2,
        "problems": problems,
        "invalid": bool(problems),
        "void": is_void(state),
        "verified_at": verified_at(state),
    }
