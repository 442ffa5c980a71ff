"""Firing what is due: the hands of the clock, for every state that carries timers (`timer_at`).

The timers themselves are in the states, so a firing is a command like any other: decided on the state as it is, written
with its events in one transaction, and refused by the state's version when somebody else was first. The lease only
keeps several processes from doing the same work.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from pymongo.errors import DuplicateKeyError

from shared.contracts.decision import Refusal, Said, Scene
from shared.contracts.state import State
from shared.plumbing.commands import perform
from shared.plumbing.database import Collection, Document
from shared.plumbing.journal import Aggregate, Cause, Ledger, Stale, Task
from shared.plumbing.lease import CLOCKS_APART
from shared.plumbing.telemetry import logger

S = TypeVar("S", bound=State)
FIRED_AT_ONCE = 200
LEASE = timedelta(seconds=30)
TIMERS_EVERY_S = 1.0
log = logger("timers")


async def index_timers(collection: Collection) -> None:
    """The index by which the next ones are found; safe to repeat."""
    await collection.create_index("timer_at", partialFilterExpression={"timer_at": {"$type": "date"}})


def come_by(now: datetime) -> Document:
    """Whose timer has come by now, as a filter. MongoDB takes the index above only where the type is asked for too."""
    return {"timer_at": {"$type": "date", "$lte": now}}


async def leased(ledger: Ledger, work: str, holder: str) -> bool:
    """Whether this process does the work from now on, for as long as it asks again before the lease ends.

    A lease that ends later than one taken now could was taken by a clock that was ahead, and holds up nobody.
    """
    now = ledger.clock.now()
    astray = {"until": {"$gt": now + LEASE + CLOCKS_APART}}
    mine = {"_id": work, "$or": [{"until": {"$lte": now}}, {"holder": holder}, astray]}
    taken = {"$set": {"holder": holder, "until": now + LEASE}}
    try:
        await ledger.database["leases"].update_one(mine, taken, upsert=True)
    except DuplicateKeyError:
        return False
    return True


async def fire(ledger: Ledger, due: Iterable[Sequence[Task[Any]]]) -> None:
    """Decide what is due, each by itself; what somebody is busy with is left to the next look.

    So is what a rule refuses, such as for a limit that is not set yet, with a line in the log that says which.
    """
    for tasks in due:
        try:
            await perform(ledger, tasks, Cause("time"))
        except Stale:
            continue
        except Refusal as refusal:
            log.warning("what is due is refused", subjects=[one.subject for one in tasks], reason=str(refusal))


class Timekeeper(Generic[S]):
    """Asks the rule about every state whose `timer_at` has come. `holder` names this process in the lease."""

    def __init__(
        self,
        ledger: Ledger,
        aggregate: Aggregate[S],
        rule: Callable[[S | None, Scene], Sequence[Said]],
        holder: str,
    ) -> None:
        self._ledger = ledger
        self._aggregate = aggregate
        self._rule = rule
        self._holder = holder

    async def prepare(self) -> None:
        """The index by which the next ones are found; safe to repeat."""
        await index_timers(self._ledger.database[self._aggregate.collection])

    async def step(self) -> int:
        """Chore: fire what has come by the ledger's clock; answers how many states were looked at."""
        if not await leased(self._ledger, f"timers-{self._aggregate.collection}", self._holder):
            return 0
        come = come_by(self._ledger.clock.now())
        cursor = self._ledger.database[self._aggregate.collection].find(come, {"_id": 1}).sort("timer_at", 1)
        found = await cursor.limit(FIRED_AT_ONCE).to_list()
        await fire(
            self._ledger,
            [[Task(self._aggregate, document["_id"], self._rule, follow=False)] for document in found],
        )
        return len(found)
