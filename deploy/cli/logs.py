"""`manyi logs`: what the processes wrote, one file each."""

import time
from collections import deque
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.up import DataOption
from deploy.local.state import data_of
from deploy.local.trouble import CannotContinue

LOOK_AGAIN = 0.3


def logs(
    name: Annotated[str | None, typer.Argument(help="kafka, mongo or a service; all when left out.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many last lines of each.", min=0)] = 40,
    data: DataOption = None,
) -> None:
    """Show the end of the logs, of one process or of all."""
    files = log_files(data_of(data) / "logs", name)
    positions = {}
    for file in files:
        with file.open(errors="replace") as log:
            for line in deque(log, maxlen=lines):
                _show(file, line, alone=len(files) == 1)
            positions[file] = log.tell()
    try:
        while follow:
            for file in files:
                with file.open(errors="replace") as log:
                    log.seek(positions[file])
                    for line in log:
                        _show(file, line, alone=len(files) == 1)
                    positions[file] = log.tell()
            time.sleep(LOOK_AGAIN)
    except KeyboardInterrupt:
        return


def log_files(folder: Path, name: str | None) -> list[Path]:
    """The files to show; raises CannotContinue naming what there is when there is no such log."""
    found = sorted(folder.glob("*.log"))
    if not found:
        raise CannotContinue(
            f"There are no logs in {folder}: start with `manyi up`, or name the directory with --data DIR."
        )
    chosen = [file for file in found if name in (None, file.stem)]
    if not chosen:
        raise CannotContinue(f"There is no log of {name!r}: choose {', '.join(file.stem for file in found)}.")
    return chosen


def _show(file: Path, line: str, alone: bool) -> None:
    print(line.rstrip("\n") if alone else f"{file.stem:<10}│ {line.rstrip()}", flush=True)
