"""The terminal: results go to `out`, everything said on the way to `err`, so that JSON on stdout stays JSON."""

import json
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from rich.progress import Progress

out = Console(soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON document on stdout, without colours or wrapping."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def progress_bars() -> "Progress":
    """Bars on stderr that disappear from a log: without a terminal rich prints nothing but their end."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
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
