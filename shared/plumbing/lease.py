"""One active process of a service: a lease with a fence, which grows with every change of owner."""

import asyncio
import uuid
from datetime import datetime, timedelta

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from shared.plumbing.clock import Clock
from shared.plumbing.database import Database

LEASE = timedelta(seconds=10)
RENEW_EVERY_S = 3.0
CLOCKS_APART = timedelta(minutes=1)
"""No more than this apart the clocks of two machines respect one another's leases."""


class LeaseLost(Exception):
    """Another instance is the active one now."""


class Lease:
    """The right to be the only relay of a service, for a time.

    `instance` is a name that no other process of the service has and that this one keeps over restarts, if any.
    """

    def __init__(self, database: Database, clock: Clock, instance: str | None) -> None:
        self._leases = database["leases"]
        self._clock = clock
        self._owner = uuid.uuid4().hex
        self._instance = instance
        self.fence = 0
        self._renewed = 0.0

    async def claim(self) -> bool:
        """Take or renew the lease. The fence grows with every change of owner.

        A lease that ends later than one taken now could was taken by a clock that was ahead, perhaps by days, and holds
        up nobody: two relays for a moment do no harm. Nor does one that a former self holds, which was killed, since we
        run under its name; should it only have slept, the fence tells it, and it does not take its lease back.
        """
        now = self._clock.now()
        over = [{"owner": self._owner}, {"until": {"$lt": now}}, {"until": {"$gt": now + LEASE + CLOCKS_APART}}]
        if self._instance is not None and not self.fence:
            over.append({"instance": self._instance})
        free = {"_id": "relay", "$or": over}
        holder = {"owner": self._owner, "instance": self._instance, "until": now + LEASE}
        change = {"$set": holder, "$inc": {"fence": 1}}
        try:
            lease = await self._leases.find_one_and_update(
                free, change, upsert=True, return_document=ReturnDocument.AFTER
            )
        except DuplicateKeyError:
            return False
        if lease is None:
            return False
        self.fence = lease["fence"]
        self._renewed = asyncio.get_running_loop().time()
        return True

    async def renew(self) -> None:
        """Prolong it when it is time to. Raises LeaseLost."""
        loop_time = asyncio.get_running_loop().time()
        if loop_time - self._renewed < RENEW_EVERY_S:
            return
        result = await self._leases.update_one(
            {"_id": "relay", "owner": self._owner, "fence": self.fence}, {"$set": {"until": self._clock.now() + LEASE}}
        )
        if result.matched_count == 0:
            raise LeaseLost
        self._renewed = loop_time

    async def release(self) -> None:
        """Give the lease up, so that a successor need not wait for it to run out."""
        await self._leases.update_one(
            {"_id": "relay", "owner": self._owner},
            {"$set": {"until": datetime.fromtimestamp(0, self._clock.now().tzinfo)}},
        )
