"""The terminal: results go to `out`, everything said on the way to `err`, so that JSON on stdout stays JSON."""

import json
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from rich.progress import Progress

UNSEEN_WIDTH = 160
"""Columns where nobody watches: a table in a file or a log need not be folded to the 80 of a terminal of old."""

out = Console(width=None if sys.stdout.isatty() else UNSEEN_WIDTH)
err = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else UNSEEN_WIDTH)


def print_json(value: Any) -> None:
    """One JSON document on stdout, without colours or wrapping."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def progress_bars() -> "Progress":
    """Bars on stderr that disappear from a log: without a terminal rich prints nothing but their end."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
    )


def ensure_jars() -> None:
    """Fetch Kafka's jars behind a progress bar where they are missing; silent when they are there."""
    from deploy.local.jars import SIZE_NOTE, kafka_classpath

    with progress_bars() as bars:
        task: list[Any] = []

        def show(done: int, total: int) -> None:
            if not task:
                task.append(bars.add_task(f"Fetching Kafka ({SIZE_NOTE})", total=total))
            bars.update(task[0], completed=done)

        kafka_classpath(progress=show)
