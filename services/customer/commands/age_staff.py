"""Time passes for our people: posts are to rotate (S0-20), and nominations wait too long (S0-19)."""

from services.customer.model.posts import call_for_rotation
from services.customer.model.promotions import lapse
from services.customer.model.staff import Staff
from services.customer.staffing import STORED, Staffing
from shared.contracts.decision import Said, Scene
from shared.plumbing.journal import Ledger, Task
from shared.plumbing.timers import come_by, fire

AT_ONCE = 200
STAFF_EVERY_S = 30.0


class AgeingStaff:
    """A chore, repeatable at any time: what it finds due is decided on the posts as they are then."""

    def __init__(self, ledger: Ledger, staffing: Staffing) -> None:
        self._ledger = ledger
        self._staffing = staffing

    async def step(self) -> int:
        """Take those whose time has come by the ledger's clock; answers how many people were looked at."""
        come = come_by(self._ledger.clock.now())
        cursor = self._ledger.database[STORED.collection].find(come, {"_id": 1}).sort("timer_at", 1)
        found = await cursor.limit(AT_ONCE).to_list()
        if found:
            ladder = await self._staffing.ladder()

            def rule(state: Staff | None, scene: Scene) -> list[Said]:
                return [*call_for_rotation(state, ladder.chart, scene.now), *lapse(state, scene.now, ladder)]

            await fire(self._ledger, [[Task(STORED, one["_id"], rule)] for one in found])
        return len(found)
