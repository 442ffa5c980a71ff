"""Bench `rebuild`: count everything anew from the first event, beside the service that answers meanwhile."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, cast

from deploy.bench.ground import PARTITIONS, Ground, fill, ground
from deploy.bench.report import Line, Report, machine, median, rounded
from deploy.bench.running import STANDING, Running, running
from deploy.cli.screen import err
from deploy.local.places import ROOT
from deploy.local.trouble import CannotContinue

COLUMNS = {"seconds": "from its start until it answers, s", "events_s": "events/s"}
PARTS = ("facts.responses", "changes")
TELL_EVERY_S = 10.0


async def rebuild(data_dir: Path, seed: int, events: int, rounds: int, only: frozenset[str] | None) -> Report:
    """Count `events` responses live, then anew, `rounds` times.

    Raises CannotContinue when a rebuild fails, or has other numbers of documents than what was counted live.
    """
    if only:
        raise CannotContinue("This bench has no peers: leave --only out.")
    async with ground(data_dir) as place:
        return await measure(place, seed, events, rounds)


async def measure(place: Ground, seed: int, events: int, rounds: int) -> Report:
    """On ground that stands."""
    err.print(f"  writing {events:,} events …")
    await asyncio.to_thread(fill, place, "survey-events", events, seed)
    began = time.monotonic()
    async with running(place, "rebuild", {"reporting": 1}) as service:
        live = await service.until_counted(events) - began
        err.print(f"  counted live in {live:.1f} s")
        taken = [await _rebuilt(service, number) for number in range(rounds)]
        documents = _documents(service, STANDING)
    seconds = median(taken)
    return Report(
        "rebuild",
        "Counting anew beside the service",
        f"./manyi bench rebuild --seed {seed} --events {events} --rounds {rounds}",
        seed,
        COLUMNS,
        "seconds",
        [
            Line("manyi rebuild", {"seconds": seconds, "events_s": events / seconds}, note="beside the idle service"),
            Line(
                "the service itself",
                {"seconds": rounded(live), "events_s": events / live},
                rounded(seconds / live),
                "first counting, from the start of its process",
            ),
        ],
        {"events": events, "rounds": rounds, "partitions": PARTITIONS, **documents},
        goals=("one million events within 60 s",),
        machine=machine(**place.versions),
    )


async def _rebuilt(service: Running, number: int) -> float:
    """Seconds of one rebuild. Raises CannotContinue when it fails or built something else."""
    place = service.place
    environment = {**place.environment, "MANYI_DATABASE_PREFIX": service.prefix, "MANYI_ZONE": "UTC"}
    began = told = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "services.reporting.rebuild"),
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    line: dict[str, Any] = {}
    try:
        async for text in cast("asyncio.StreamReader", process.stdout):
            line = json.loads(text)
            if "done" in line and time.monotonic() - told > TELL_EVERY_S:
                told = time.monotonic()
                err.print(f"  rebuild {number + 1}: {line['done']:,} of {line['total']:,}")
        seconds = time.monotonic() - began
        if await process.wait() or not line.get("live"):
            raise CannotContinue(f"The rebuild failed: {line.get('refused', 'it died; its words are above')}.")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    err.print(f"  rebuild {number + 1}: answers after {seconds:.1f} s")
    found, wanted = _documents(service, f"{STANDING}.{line['generation']}"), _documents(service, STANDING)
    if found != wanted:
        raise CannotContinue(f"Counted live there are {wanted}, anew {found}.")
    return seconds


def _documents(service: Running, generation: str) -> dict[str, int]:
    """How many there are of each part."""
    database = service.database("reporting")
    return {part: database[f"{generation}.{part}"].estimated_document_count() for part in PARTS}
