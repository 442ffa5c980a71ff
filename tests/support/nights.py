"""The chores of the customer service at an instant of the test's own, beside the service in the test's process."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.customer.desk import Desk
from services.customer.staffing import Staffing
from shared.plumbing.clock import ManualClock
from shared.plumbing.journal import Ledger
from shared.plumbing.settings import Settings
from shared.plumbing.speaking import Speaking
from tests.support.service import Running


@dataclass(frozen=True)
class Night:
    """The chores of a service at an instant of the test's own: a ledger beside the service's, and the chart."""

    ledger: Ledger
    desk: Desk
    staffing: Staffing

    def at(self, moment: datetime) -> None:
        """Set the clock."""
        self.ledger.clock = ManualClock(moment)


@asynccontextmanager
async def night(settings: Settings) -> AsyncIterator[Night]:
    """Until the block ends."""
    speaking = Speaking("customer", settings)
    desk = Desk(speaking.identity, settings.read_policies(), settings.local_zone, speaking.clock)
    try:
        yield Night(speaking.ledger, desk, Staffing(speaking.ledger, desk))
    finally:
        await speaking.client.close()


async def told_of(service: Running, wire: str) -> list[dict[str, Any]]:
    """What was said by the events of one type, in order."""
    found = await service.service.database["journal"].find({"type": wire}).sort("recorded", 1).to_list()
    return [json.loads(record["event"])["data"] for record in found]
