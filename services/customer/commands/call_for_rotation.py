"""Time in a post passes: rotation is called for, and told to whoever is next above (S0-20)."""

from services.customer.model.posts import call_for_rotation
from services.customer.model.staff import Staff
from services.customer.staffing import STORED, Staffing
from shared.contracts.decision import Said, Scene
from shared.plumbing.journal import Ledger, Task
from shared.plumbing.timers import fire

AT_ONCE = 200
ROTATIONS_EVERY_S = 30.0


class Rotations:
    """A chore, repeatable at any time: what it finds due is decided on the posts as they are then."""

    def __init__(self, ledger: Ledger, staffing: Staffing) -> None:
        self._ledger = ledger
        self._staffing = staffing

    async def step(self) -> int:
        """Take the posts whose time has come by the ledger's clock; answers how many people were looked at."""
        come = {"timer_at": {"$lte": self._ledger.clock.now()}}
        found = await self._ledger.database[STORED.collection].find(come, {"_id": 1}).limit(AT_ONCE).to_list()
        if found:
            chart = await self._staffing.chart()

            def rule(state: Staff | None, scene: Scene) -> list[Said]:
                return call_for_rotation(state, chart, scene.now)

            await fire(self._ledger, [[Task(STORED, one["_id"], rule)] for one in found])
        return len(found)
