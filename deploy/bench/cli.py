"""`manyi bench`: run one bench beside its peers and print its table or its JSON."""

import asyncio
import importlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.bench import page
from deploy.cli.screen import err, out, print_json
from deploy.local.trouble import CannotContinue

if TYPE_CHECKING:
    from rich.table import Table

    from deploy.bench.report import Report

BENCHES = {
    "projection": ("deploy.bench.projection", 500_000, 3),
    "peers": ("deploy.bench.survival", 60_000, 1),
    "api": ("deploy.bench.api", 20_000, 3),
    "query": ("deploy.bench.query", 1_000_000, 10),
    "latency": ("deploy.bench.latency", 20_000, 3),
    "intake": ("deploy.bench.intake", 80_000, 2),
    "rebuild": ("deploy.bench.rebuild", 400_000, 1),
    "start": ("deploy.bench.start", 1, 2),
    "scale": ("deploy.bench.scale", 150_000, 3),
    "customer": ("deploy.bench.customer", 100_000, 3),
}
"""Every bench: its module (the function has the same name), its usual number of events and of rounds."""


def bench(
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(BENCHES)}.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print ours, peers and ratios as JSON.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="The same seed makes the same events.")] = 1,
    events: Annotated[int | None, typer.Option("--events", help="How many; each bench has a usual number.")] = None,
    rounds: Annotated[int | None, typer.Option("--rounds", help="How often everybody runs, in turn.")] = None,
    save: Annotated[
        bool, typer.Option("--save", help="Keep the result in docs/benchmarks and rewrite its page.")
    ] = False,
    only: Annotated[list[str] | None, typer.Option("--only", help="Only these peers; may be repeated.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Where the brokers keep their data meanwhile.")] = None,
) -> None:
    """Measure one thing beside its peers, in one run on one machine."""
    if name not in BENCHES:
        raise CannotContinue(f"There is no bench {name!r}: choose one of {', '.join(BENCHES)}.")
    module, usual_events, usual_rounds = BENCHES[name]
    work = getattr(importlib.import_module(module), name)
    place = data or Path(tempfile.mkdtemp(prefix="manyi-bench-"))
    try:
        report: Report = asyncio.run(
            work(place, seed, events or usual_events, rounds or usual_rounds, frozenset(only) if only else None)
        )
    finally:
        if data is None:
            shutil.rmtree(place, ignore_errors=True)
    if save:
        page.save(report.as_json())
    if as_json:
        print_json(report.as_json())
    else:
        out.print(table(report))
        err.print(json.dumps({"seed": report.seed, **report.facts, **report.machine}, ensure_ascii=False))


def table(report: "Report") -> "Table":
    """A line for each contestant, ours first."""
    from rich.table import Table

    from deploy.bench.report import shown

    found = Table(title=report.title)
    found.add_column("")
    for heading in report.columns.values():
        found.add_column(heading, justify="right")
    found.add_column("ours ÷ it", justify="right")
    found.add_column("")
    for line in report.lines:
        figures = [shown(line.figures[column]) if column in line.figures else "" for column in report.columns]
        found.add_row(line.name, *figures, shown(line.ratio) if line.ratio else "", line.note)
    return found
