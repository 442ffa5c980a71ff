"""`manyi rebuild`: count what a service keeps ready anew from its topics, beside live traffic, then swap."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from deploy.cli.screen import err, print_json, progress_bars
from deploy.cli.up import DataOption
from deploy.local.trouble import CannotContinue

ADDRESSES = ("MANYI_KAFKA", "MANYI_MONGO", "MANYI_KEYS_FILE")


def rebuild(
    service: Annotated[str, typer.Argument(help="reporting: the only service that keeps projections.")],
    projection: Annotated[
        str | None,
        typer.Option("--projection", metavar="P", help="Only what is counted by this definition: standard@1."),
    ] = None,
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Count all numbers anew while the old ones answer; then swap."""
    if service != "reporting":
        raise CannotContinue(f"{service!r} keeps no projections that could be rebuilt; reporting does.")
    arguments = ["--projection", projection] if projection else []
    live: dict[str, dict[str, Any]] = {}
    with progress_bars() as bars:
        tasks: dict[str, Any] = {}
        for line in _lines(arguments, _environment(data)):
            if "refused" in line:
                raise CannotContinue(f"{line['refused']}. What was counted before still answers.")
            name = line["projection"]
            if name not in tasks:
                tasks[name] = bars.add_task(f"{name}, generation {line['generation']}", total=line["total"])
            bars.update(tasks[name], completed=line["done"], total=line["total"])
            if line["live"]:
                live[name] = line
    if as_json:
        print_json({"rebuilt": list(live.values())})
        return
    for name, line in live.items():
        err.print(
            f"[green]✓[/green] {name}: generation {line['generation']} answers, {line['done']:,} records counted."
        )


def _lines(arguments: list[str], environment: dict[str, str]) -> Iterator[dict[str, Any]]:
    """What the rebuilding process says, line by line. Raises CannotContinue when it dies without a word."""
    from deploy.local.places import ROOT

    command = [sys.executable, "-P", "-m", "services.reporting.rebuild", *arguments]
    environment = {"MANYI_LOG_LEVEL": "WARNING", **os.environ, **environment, "PYTHONPATH": str(ROOT)}
    told: dict[str, Any] = {}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            told = json.loads(line)
            yield told
    if process.returncode and "refused" not in told:
        raise CannotContinue(
            f"The rebuild ended with status {process.returncode}; the reason is above. What was counted before still "
            "answers; run it again."
        )


def _environment(data: Any) -> dict[str, str]:
    """Where everything is: what the environment says in a container, else of the system that runs here."""
    if data is None and all(os.environ.get(name) for name in ADDRESSES):
        return {}
    from pathlib import Path

    from deploy.local.state import ensure_keys, running_system

    state = running_system(data)
    return dict(zip(ADDRESSES, (state.kafka, state.mongo, str(ensure_keys(Path(state.data)))), strict=True))
