"""One contestant at work: started as a process of its own, watched until it is done or its time is over."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from pymongo.collection import Collection

from deploy.bench.ground import Ground
from deploy.local.places import ROOT
from deploy.local.trouble import CannotContinue

PROBE_S = 0.02
PROBE_MEMORY_S = 1.0
STARTS_WITHIN_S = 180.0
STOPS_WITHIN_S = 20.0
WINDOW_S = 120.0
WARM_UP = 0.1


@dataclass(frozen=True)
class Contestant:
    """Who runs: its command, what it must be told, and where one sees how much it has done."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    documents: Collection[dict[str, Any]]
    """Where what it writes for each event stands."""
    note: str = ""
    window_s: float = WINDOW_S
    """What is not done by then is not waited for: the rate of what was done counts."""
    warm_up: float = WARM_UP
    """Share of the work that is done before the clock starts."""
    keeps_cells: bool = False
    """Whether it counts, as we do; of the others MongoDB has to group the documents."""
    repeats: bool = False
    """Whether a redelivered event becomes another document."""


@dataclass
class Measured:
    """What one run showed."""

    done: int
    seconds: float
    cpu_s: dict[str, float] = field(default_factory=dict)
    """Processor seconds of the contestant (`worker`), of mongod and of Kafka."""
    rss_mb: float = 0.0
    others: float = 0.0
    """Share of the machine's processors that went to what has nothing to do with the run."""

    @property
    def rate(self) -> float:
        return self.done / self.seconds

    def figures(self) -> dict[str, float]:
        """The columns of every throughput table."""
        million = 1_000_000 / self.done
        return {
            "events_s": self.rate,
            "worker_cpu_s": self.cpu_s["worker"] * million,
            "mongod_cpu_s": self.cpu_s["mongo"] * million,
            "kafka_cpu_s": self.cpu_s["kafka"] * million,
            "rss_mb": self.rss_mb,
            "others": 100 * self.others,
        }


THROUGHPUT = {
    "events_s": "events/s",
    "worker_cpu_s": "CPU-s per million events, worker",
    "mongod_cpu_s": "CPU-s per million, mongod",
    "kafka_cpu_s": "CPU-s per million, Kafka",
    "rss_mb": "worker RSS, MB",
    "others": "used by others meanwhile, %",
}


async def run(
    place: Ground, contestant: Contestant, total: int, load: asyncio.subprocess.Process | None = None
) -> Measured:
    """Run until `total` is done or its window is over, and then until the load that asks it has ended.

    Raises CannotContinue when the contestant ends before, or never starts.
    """
    process, log = start(place, contestant)
    try:
        measured = await _watch(place, contestant, total, process, log)
        if load is not None:
            await load.wait()
        return measured
    finally:
        await asyncio.to_thread(stop, process)


def start(place: Ground, contestant: Contestant) -> tuple[psutil.Popen, Path]:
    """Its process, and the log that it goes on writing."""
    log = place.data_dir / "logs" / f"{contestant.name.replace(' ', '-').replace('/', '-')}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        process = psutil.Popen(
            contestant.command,
            env={**_inherited(), **contestant.environment, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=ROOT,
        )
    return process, log


async def _watch(place: Ground, contestant: Contestant, total: int, process: psutil.Popen, log: Path) -> Measured:
    def ended() -> CannotContinue:
        return CannotContinue(f"{contestant.name} ended with status {process.returncode}; its log is {log}.")

    began = time.monotonic()
    warm = int(total * contestant.warm_up)
    while (done := contestant.documents.estimated_document_count()) <= warm:
        if process.poll() is not None:
            raise ended()
        if time.monotonic() - began > (STARTS_WITHIN_S if done == 0 else STARTS_WITHIN_S + contestant.window_s):
            raise CannotContinue(f"{contestant.name} did not get past its warm-up; its log is {log}.")
        await asyncio.sleep(PROBE_S)
    if done >= total:
        raise CannotContinue(f"{contestant.name} had written all {total} before one could look: take more --events.")
    first, started, before, busy = done, time.monotonic(), cpu_seconds(place, process), busy_seconds()
    now, rss, probed = started, 0.0, 0.0
    while done < total and now - started < contestant.window_s:
        if process.poll() is not None:
            raise ended()
        await asyncio.sleep(PROBE_S)
        done, now = contestant.documents.estimated_document_count(), time.monotonic()
        if now - probed > PROBE_MEMORY_S or done >= total:
            rss, probed = max(rss, resident_mb(process)), now
    after, seconds = cpu_seconds(place, process), now - started
    spent = {name: after[name] - before[name] for name in after}
    others = (busy_seconds() - busy - sum(spent.values())) / (seconds * (psutil.cpu_count() or 1))
    return Measured(done - first, seconds, spent, rss, max(0.0, others))


def busy_seconds() -> float:
    """Processor time that the machine has used so far, whoever for."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)


def cpu_seconds(place: Ground, process: psutil.Popen) -> dict[str, float]:
    """Processor time used so far."""
    spent = {"worker": cpu_of(process.pid)}
    return spent | {name: cpu_of(pid) for name, pid in place.pids().items()}


def cpu_of(pid: int) -> float:
    """Of a process and its children."""
    root = psutil.Process(pid)
    total = 0.0
    for process in [root, *root.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def resident_mb(process: psutil.Popen) -> float:
    """Resident memory of a process and its children."""
    return resident_mb_of(process.pid)


def resident_mb_of(pid: int) -> float:
    """By the process's id."""
    root, total = psutil.Process(pid), 0.0
    for one in [root, *root.children(recursive=True)]:
        try:
            total += one.memory_info().rss / 2**20
        except psutil.NoSuchProcess:
            continue
    return total


def stop(process: psutil.Popen) -> None:
    """SIGTERM, and kill -9 when that does not help (blocking)."""
    try:
        process.terminate()
    except psutil.NoSuchProcess:  # it ended by itself; what is wrong with it is told already
        return
    try:
        process.wait(STOPS_WITHIN_S)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait()


def python(module: str, interpreter: Path | None = None) -> list[str]:
    """A module run by our own interpreter or another."""
    return [str(interpreter or sys.executable), "-P", "-m", module]


def _inherited() -> dict[str, str]:
    """The environment without what would tune or point our services elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MANYI_")}
