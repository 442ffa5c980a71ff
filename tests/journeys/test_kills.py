"""kill -9 of every process once while tapes are being taken in: the figures are exact all the same."""

import asyncio
import os
import signal

import pytest

from deploy.local.system import System
from deploy.tapes.play import Manner
from tests.journeys.test_tapes import different, figures, played
from tests.support.eventually import eventually

pytestmark = pytest.mark.stack

VICTIMS = ("customer", "reporting", "kafka", "feedback", "mongo", "survey")
TAPES = ("known-answers", "telco", "online-retail", "incident-log")


async def kill(system: System, name: str) -> None:
    """SIGKILL, and wait until the supervisor has it ready again."""
    starts = system.supervisor.starts(name)
    pid = system.supervisor.pid(name)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)

    def back() -> bool:
        return system.supervisor.starts(name) > starts and system.supervisor.is_ready(name)

    await eventually(back, timeout=60, because=f"{name} did not come back")


async def test_every_process_dies_once_during_an_import(system: System) -> None:
    """All tapes play at once while one process after the other is killed."""
    imports = [asyncio.create_task(played(system, tape, Manner())) for tape in TAPES]
    for victim in VICTIMS:
        if all(one.done() for one in imports):
            # A fast machine was done already: tell all of it once more, so that this one dies under load too.
            imports += [asyncio.create_task(played(system, tape, Manner())) for tape in TAPES]
        await kill(system, victim)
    for done in asyncio.as_completed(imports):
        outcome = await done
        assert outcome.rejected == 0, outcome.rejects[:3]
    for tape in TAPES:
        assert different(await figures(system, tape)) == []
