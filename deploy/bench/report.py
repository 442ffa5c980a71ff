"""What a bench found: runs, ratios, machine; as JSON, which the documentation is written from, and as a table."""

import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

PACKAGES = ("aiokafka", "faststream", "fastapi", "orjson", "pymongo", "pydantic", "uvloop")


@dataclass(frozen=True)
class Line:
    """One contestant's figures, medians over the rounds. `ratio` is ours ÷ this one, the median of the rounds'."""

    name: str
    figures: Mapping[str, float]
    ratio: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Report:
    """One bench. The first line is ours; `figures` names unit and meaning of the columns, `main` the one compared."""

    bench: str
    title: str
    command: str
    seed: int
    columns: Mapping[str, str]
    main: str
    lines: Sequence[Line]
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What was measured: events, dimensions, rounds."""
    goals: Sequence[str] = ()
    machine: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """`ours`, `peers` and `ratios` first; the rest is what it takes to read and repeat them."""
        ours, *peers = self.lines
        return {
            "bench": self.bench,
            "title": self.title,
            "command": self.command,
            "seed": self.seed,
            "ours": dict(ours.figures),
            "peers": {line.name: dict(line.figures) for line in peers},
            "ratios": {line.name: line.ratio for line in peers if line.ratio is not None},
            "columns": dict(self.columns),
            "main": self.main,
            "notes": {line.name: line.note for line in self.lines if line.note},
            "name_of_ours": ours.name,
            "facts": dict(self.facts),
            "goals": list(self.goals),
            "machine": dict(self.machine),
        }


def median(values: Sequence[float]) -> float:
    """The middle one, to four significant digits: what lies behind them is noise."""
    return rounded(statistics.median(values))


def rounded(value: float) -> float:
    """Four significant digits."""
    return float(f"{value:.4g}")


def machine(mongo: str | None = None, kafka: str | None = None) -> dict[str, Any]:
    """Processors, memory, versions, and the load average when it ended."""
    return {
        "processors": psutil.cpu_count(),
        "processor": _processor(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "load_average": round(psutil.getloadavg()[0], 1),
        "mongod": mongo,
        "kafka": kafka,
        **{name: metadata.version(name) for name in PACKAGES},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def shown(value: float) -> str:
    """A figure as people read it."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
