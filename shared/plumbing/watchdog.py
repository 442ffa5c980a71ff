"""Ends a process whose work stands still, so that whoever started it starts it anew (ARCHITECTURE §6).

Four ways to stand still are known: a listener that never returns or a consumer that stalls silently
(aio-libs/aiokafka#1154), a consumer that left its group at an error it did not expect (aio-libs/aiokafka#1038), a relay
that waits for an answer that never comes (aio-libs/aiokafka#1017), and an event loop that is blocked. Nothing that runs
in the loop sees the last one: a timer outside it ends the process.
"""

import asyncio
import faulthandler
import os

from shared.plumbing.database import Client
from shared.plumbing.listening import Hearing
from shared.plumbing.relay import Relay
from shared.plumbing.telemetry import logger

LOOK_EVERY_S = 5.0

log = logger("watchdog")


def look_every(stuck_after_s: float) -> float:
    """Seconds between two looks: several before anything counts as stuck."""
    return min(LOOK_EVERY_S, stuck_after_s / 4)


async def watch_hearing(hearing: Hearing, stuck_after_s: float) -> None:
    """Exit when the group was left, or records wait and none has been taken for `stuck_after_s`.

    Raises KafkaError without a broker, TimeoutError where it does not answer: the next look begins anew.
    """
    if hearing.left():
        log.critical("left its group at an error, exiting", group=hearing.group)
        os._exit(os.EX_TEMPFAIL)
    async with asyncio.timeout(stuck_after_s):
        await hearing.look_back()
        waiting = await hearing.lag()
    if waiting and hearing.silent_for() > stuck_after_s:
        log.critical("no progress with records waiting, exiting", group=hearing.group, why=hearing.failing)
        os._exit(os.EX_TEMPFAIL)


async def watch_relay(relay: Relay, client: Client, stuck_after_s: float) -> None:
    """Exit when the active relay neither sent nor saw an empty stream for `stuck_after_s` though MongoDB answers."""
    if relay.silent_for() > stuck_after_s:
        await client.admin.command("ping")
        if relay.silent_for() > stuck_after_s:
            log.critical("the relay stands still, exiting", waiting=relay.backlog)
            os._exit(os.EX_TEMPFAIL)


async def beat(stuck_after_s: float) -> None:
    """Run for ever; should the loop not come round for `stuck_after_s`, the process ends with all its stacks in stderr.

    The timer is a C thread that needs no interpreter: it also fires while somebody holds the interpreter's lock.
    """
    try:
        while True:
            faulthandler.dump_traceback_later(stuck_after_s, exit=True)
            await asyncio.sleep(look_every(stuck_after_s))
    finally:
        faulthandler.cancel_dump_traceback_later()
