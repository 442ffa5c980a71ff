"""The chart as it is now: read from where our people and their posts are kept."""

from datetime import datetime

from services.customer.desk import Desk
from services.customer.model import staff
from services.customer.model.staff import Staff
from shared.plumbing.journal import Aggregate, Ledger
from shared.plumbing.timers import index_timers
from shared.policy.approvals.acting import Substitution
from shared.policy.approvals.escalating import Ladder
from shared.policy.chart import Chart, Holder
from shared.policy.policies import LimitUnset

STORED = Aggregate("staff", Staff, staff.evolve, lambda state: state.staff_id, owner=lambda state: state.staff_id)


class Staffing:
    """Who is above whom and who stands in for whom, as of the latest commit."""

    def __init__(self, ledger: Ledger, desk: Desk) -> None:
        self._staff = ledger.database[STORED.collection]
        self._desk = desk

    async def prepare(self) -> None:
        """The indexes by which substitutes and what is due are found; safe to repeat."""
        await self._staff.create_index("substitutions.substitute")
        await index_timers(self._staff)

    async def chart(self) -> Chart:
        """The lines and units of today's policies with everybody who holds a post."""
        found = await self._staff.find({"posts": {"$ne": {}}}, {"posts": 1}).to_list()
        held = [Holder(one["_id"], post["role"], post["unit"]) for one in found for post in one["posts"].values()]
        return Chart.of(self._desk.policies, self._desk.today(), held)

    async def ladder(self) -> Ladder:
        """Who hears of what is overdue, level by level. A calendar that nobody has set keeps nobody from hearing."""
        try:
            calendar = self._desk.policies.calendar(self._desk.today())
        except LimitUnset:
            calendar = None
        return Ladder(await self.chart(), calendar)

    async def standing_in(self, person: str, now: datetime) -> tuple[Substitution, ...]:
        """The roles of absent ones that somebody may take over now."""
        mine = {"substitutions": {"$elemMatch": {"substitute": person, "since": {"$lte": now}, "until": {"$gt": now}}}}
        found = await self._staff.find(mine, {"substitutions": 1}).to_list()
        return tuple(
            Substitution(role=one["role"], absent=document["_id"], since=one["since"], until=one["until"])
            for document in found
            for one in document["substitutions"]
            if one["substitute"] == person and one["since"] <= now < one["until"]
        )
