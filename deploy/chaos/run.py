"""One run: the system, the load, the faults one after another, and after each of them the comparison."""

import asyncio
import random
import statistics
import tempfile
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from deploy.chaos.comparing import forked, settled
from deploy.chaos.faults import Fault
from deploy.chaos.ledger import Ledger
from deploy.chaos.load import Load
from deploy.chaos.scene import Scene
from deploy.local.system import whole_system

Ground = Callable[[Path], AbstractContextManager[None]]
"""Prepares the place of the data before anything is started."""
ZONE = ZoneInfo("Asia/Shanghai")
FAIL_POINTS = ("--setParameter", "enableTestCommands=1")
"""Lets mongod be told to fail."""
SHOWN = 10
"""Differences that are told one by one."""


@dataclass
class Result:
    """What became of one fault: calls, cells, seconds."""

    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    recoveries: list[float] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    """What should not be: differences, promises of the fault that were not kept."""
    notes: list[str] = field(default_factory=list)

    def and_then(self, later: "Result") -> "Result":
        """Both together; what is lost, doubled or wrong is so since the beginning."""
        return replace(
            later,
            acknowledged=self.acknowledged + later.acknowledged,
            recoveries=self.recoveries + later.recoveries,
            notes=self.notes + later.notes,
        )

    @property
    def exact(self) -> bool:
        return not (self.lost or self.doubled or self.wrong or self.troubles)

    def shown(self) -> dict[str, Any]:
        return {
            "cycles": len(self.recoveries),
            "acknowledged": self.acknowledged,
            "lost": self.lost,
            "doubled": self.doubled,
            "wrong": self.wrong,
            "recovery_s": round(max(self.recoveries, default=0.0), 1),
            "recovery_median_s": round(statistics.median(self.recoveries), 1) if self.recoveries else 0.0,
            "troubles": self.troubles,
            "notes": self.notes,
        }


async def run(
    faults: Iterable[tuple[Fault, int]],
    seed: int,
    rate: float,
    tell: Callable[[str, float], None],
    results: dict[str, Result],
    ground: Ground = lambda _: nullcontext(),
) -> None:
    """Do each fault so many times on a fresh system; `tell` hears of every recovery, `results` get what was compared.

    Ends with the first fault after which the numbers are not exact: what is wrong by then stays wrong.
    """
    with tempfile.TemporaryDirectory(prefix="manyi-chaos-") as folder, ground(Path(folder) / "data"):
        async with whole_system(Path(folder) / "data", mongod=FAIL_POINTS) as system:
            ledger = Ledger(Path(folder) / "ledger.jsonl")
            today = datetime.now(ZONE).date().isoformat()
            load = Load(system, ledger, seed, rate)
            scene = Scene(system, load, random.Random(seed))  # noqa: S311 - for trials, nothing secret
            await load.start()
            try:
                for fault, cycles in faults:
                    so_far = results.get(fault.name, Result())
                    scene.cycle = len(so_far.recoveries)
                    result = await _suffered(scene, fault, cycles, today, tell)
                    results[fault.name] = so_far.and_then(result)
                    if not result.exact:
                        break
            finally:
                await load.stop()
                ledger.close()


async def _suffered(scene: Scene, fault: Fault, cycles: int, today: str, tell: Callable[[str, float], None]) -> Result:
    result, before = Result(), scene.load.ledger.count
    scene.load.go_on()
    try:
        for _ in range(cycles):
            seconds = await fault.once(scene)
            scene.cycle += 1
            result.recoveries.append(seconds)
            tell(fault.name, seconds)
        await scene.load.pause()
        result.acknowledged = scene.load.ledger.count - before
        await _compare(scene, today, result)
    except TimeoutError as trouble:
        result.troubles.append(f"given up: {trouble}")
    return result


async def _compare(scene: Scene, today: str, result: Result) -> None:
    """Numbers against the reference, topics against the rules of revisions, once all that was said is counted."""
    difference = await settled(scene.system.services["reporting"], scene.load.ledger.path, today)
    forks = await asyncio.to_thread(forked, scene.system.kafka)
    result.lost, result.doubled = difference.lost, difference.doubled
    result.wrong = difference.wrong + len(forks)
    result.troubles += [*scene.troubles, *difference.where[:SHOWN], *forks[:SHOWN]]
    result.notes += scene.notes
    scene.troubles.clear()
    scene.notes.clear()
