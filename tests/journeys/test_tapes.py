"""Other companies' data through all four services: every reference figure, however the records come."""

import asyncio
import functools
from pathlib import Path

import pytest

from deploy.local.system import System
from deploy.tapes.figures import Figure, check
from deploy.tapes.play import Manner, Outcome, play
from deploy.tapes.tape import BUNDLED

pytestmark = pytest.mark.stack

REAL_FILES = ("telco-v11", "olist", "cdnow")


async def played(system: System, tape: str, manner: Manner, folder: Path | None = None) -> Outcome:
    work = functools.partial(
        play, tape, kafka=system.kafka, services=system.services, wait=True, folder=folder, manner=manner
    )
    return await asyncio.to_thread(work)


async def figures(system: System, tape: str, folder: Path | None = None) -> list[Figure]:
    return await asyncio.to_thread(check, tape, system.services["reporting"], folder)


def different(found: list[Figure]) -> list[str]:
    return [
        f"{one.tape}: {one.figure}: {one.reference} is {one.manyi} ({one.problem})" for one in found if not one.equal
    ]


async def test_bundled_tapes_thrice_and_shuffled_then_once_more(system: System) -> None:
    """Each record sent three times in any order, then the whole tape again in its own order: no number differs."""
    for tape in BUNDLED:
        outcome = await played(system, tape, Manner(times=3, shuffle=20260930))
        assert outcome.rejected == 0, outcome.rejects[:3]
        assert sum(counts["early"] for counts in outcome.counts.values()) == 0
        found = await figures(system, tape)
        assert found
        assert different(found) == []
    for tape in BUNDLED:
        outcome = await played(system, tape, Manner())
        assert sum(counts["accepted"] for counts in outcome.counts.values()) == 0
        assert different(await figures(system, tape)) == []


async def test_real_files_that_are_not_bundled(system: System, data_folder: Path) -> None:
    """The other three data sets: shuffled with repeats, then again."""
    for tape in REAL_FILES:
        for manner in (Manner(times=2, shuffle=7), Manner()):
            outcome = await played(system, tape, manner, data_folder)
            assert outcome.rejected == 0, outcome.rejects[:3]
            found = await figures(system, tape, data_folder)
            assert found
            assert different(found) == []
