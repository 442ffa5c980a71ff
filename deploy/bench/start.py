"""Bench `start`: `./manyi up` until all is ready, and what it then holds in memory; `./manyi demo --once`."""

import asyncio
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from deploy.bench.report import Line, Report, machine, median
from deploy.cli.screen import err
from deploy.local.jars import KAFKA_VERSION
from deploy.local.mongo import find_mongod
from deploy.local.places import ROOT
from deploy.local.state import SystemState
from deploy.local.trouble import CannotContinue

AGAIN, NEW, DEMO = "manyi up, again", "manyi up, new data", "manyi demo --once"
COLUMNS = {
    "seconds": "ready, or done, after, s",
    "resident_mb": "resident, MB",
    "shared_out_mb": "shared pages once, MB",
}
DOOR = (str(ROOT / "manyi"),)
READY_WITHIN_S, DEMO_WITHIN_S, STOPS_WITHIN_S = 180.0, 900.0, 60.0
LOOK_EVERY_S = 0.05
SETTLES_IN_S = 3.0
"""What is read or compiled only after the start is in memory then."""


async def start(data_dir: Path, seed: int, _events: int, rounds: int, only: frozenset[str] | None) -> Report:
    """Start on new data and again on it, and play the demo, `rounds` times; there is nothing to have events of.

    Raises CannotContinue when something does not become ready or ends early.
    """
    if only is not None and not only <= {DEMO}:
        raise CannotContinue(f"There is no peer {min(only - {DEMO})!r}: {DEMO}.")
    found: dict[str, list[dict[str, float]]] = {AGAIN: [], NEW: [], DEMO: []}
    for number in range(rounds):
        for name in (NEW, AGAIN):
            found[name].append(await up(data_dir / str(number)))
            err.print(f"  {name}: {found[name][-1]['seconds']:.1f} s, {found[name][-1]['resident_mb']:.0f} MB")
        if only is None or DEMO in only:
            found[DEMO].append(await demo(data_dir / "demo.log"))
            err.print(f"  {DEMO}: {found[DEMO][-1]['seconds']:.1f} s")
    return report(found, seed, rounds)


def report(found: dict[str, list[dict[str, float]]], seed: int, rounds: int) -> Report:
    """Medians over the rounds."""
    return Report(
        "start",
        "From the command to everything ready",
        f"./manyi bench start --rounds {rounds}",
        seed,
        COLUMNS,
        "seconds",
        [
            Line(name, {column: median([one[column] for one in runs]) for column in runs[0]})
            for name, runs in found.items()
            if runs
        ],
        {"rounds": rounds},
        goals=("up within 15 s", "the demo within 60 s", "at most 1,500 MB resident"),
        machine=machine(mongo=find_mongod().version(), kafka=KAFKA_VERSION),
    )


async def up(data: Path, door: Sequence[str] = DOOR) -> dict[str, float]:
    """Start on a data directory, look at the memory, stop. Raises CannotContinue when it does not become ready."""
    await asyncio.to_thread(data.parent.mkdir, parents=True, exist_ok=True)
    log = data.with_suffix(".log")
    began = time.monotonic()
    with log.open("ab") as said:
        process = psutil.Popen([*door, "up", "--data", str(data)], stdout=said, stderr=said)
    try:
        while not _all_ready(data):
            if process.poll() is not None or time.monotonic() - began > READY_WITHIN_S:
                raise CannotContinue(f"manyi up does not become ready; what it said is in {log}.")
            await asyncio.sleep(LOOK_EVERY_S)
        seconds = time.monotonic() - began
        await asyncio.sleep(SETTLES_IN_S)
        return {"seconds": seconds, **memory_mb(process)}
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(_gone, process)


def _all_ready(data: Path) -> bool:
    state = SystemState.read(data)
    return state is not None and all(process.ready for process in state.processes.values())


def _gone(process: psutil.Popen) -> None:
    try:
        process.wait(STOPS_WITHIN_S)
    except psutil.TimeoutExpired:
        process.kill()  # the kernel ends its children with it
        process.wait()


async def demo(log: Path) -> dict[str, float]:
    """Seconds from the command to the table. Raises CannotContinue when a figure differs or it ends badly."""
    began = time.monotonic()
    with log.open("ab") as said:
        process = await asyncio.create_subprocess_exec(*DOOR, "demo", "--once", stdout=said, stderr=said)
    try:
        status = await asyncio.wait_for(process.wait(), DEMO_WITHIN_S)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    if status:
        raise CannotContinue(f"manyi demo --once ended with status {status}; what it said is in {log}.")
    return {"seconds": time.monotonic() - began}


def memory_mb(process: psutil.Process) -> dict[str, float]:
    """Of the process and all below it: resident, and with pages that several share counted once."""
    resident = shared_out = 0.0
    for one in [process, *process.children(recursive=True)]:
        held = one.memory_full_info()
        resident += held.rss / 2**20
        shared_out += getattr(held, "pss", held.uss) / 2**20
    return {"resident_mb": resident, "shared_out_mb": shared_out}
