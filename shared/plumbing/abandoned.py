"""Ending transactions whose owner was killed or stands still inside them.

MongoDB would keep what they wrote locked until transactionLifetimeLimitSeconds (60 s) have passed, and whoever writes
the same documents would lose every race until then. A transaction of ours sends its statements one behind the other,
so one that has been idle for seconds belongs to nobody any more; should its owner wake, it finds itself aborted and
begins again. Only transactions of the same database user are seen and ended, which needs no privilege.

Who starts under the name of a process that was killed need not wait: what is open under that name is nobody's.
"""

import asyncio

from shared.plumbing.database import Client, Document
from shared.plumbing.telemetry import logger

IDLE_S = 5.0
LOOK_AGAIN_S = 1.0
AT_ONCE = 100
"""Ended at one look; the next one finds the others."""
log = logger("abandoned")


class Abandoned:
    """Looks for abandoned transactions, not more often than once in LOOK_AGAIN_S."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._looked = float("-inf")

    async def end(self) -> None:
        """For who lost a race. Raises PyMongoError."""
        now = asyncio.get_running_loop().time()
        if now - self._looked < LOOK_AGAIN_S:
            return
        self._looked = now
        await _end(self._client, {"transaction.timeInactiveMicros": {"$gte": int(IDLE_S * 1e6)}})


async def end_former(client: Client, name: str) -> None:
    """End what a former process left open that called itself `name` towards the database; before anything is begun.

    Raises PyMongoError.
    """
    await _end(client, {"appName": name, "transaction": {"$exists": True}})


async def _end(client: Client, which: Document) -> None:
    """End transactions nobody sends a statement of at this moment."""
    idle: list[Document] = [
        {"$currentOp": {"idleSessions": True}},
        {"$match": {"type": "idleSession", **which}},
        {"$limit": AT_ONCE},
        {"$project": {"lsid": 1}},
    ]
    reply = await client.admin.command("aggregate", 1, pipeline=idle, cursor={"batchSize": AT_ONCE})
    found = [operation["lsid"]["id"] for operation in reply["cursor"]["firstBatch"]]
    if found:
        log.warning("ending abandoned transactions", transactions=len(found))
        await client.admin.command({"killSessions": [{"id": session} for session in found]})
