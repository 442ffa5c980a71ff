"""`manyi demo`: everything on throw-away data, the bundled tapes played through it, its figures beside theirs."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from deploy.cli.lifetime import STOPPED_BY_PERSON, data_directory, run_until_signal
from deploy.cli.live_numbers import headlines, numbers_now, numbers_table, watch
from deploy.cli.screen import ensure_jars, err, out, print_json, progress_bars
from deploy.cli.up import addresses, narrator
from deploy.local.trouble import CannotContinue

if TYPE_CHECKING:
    from rich.progress import Progress

    from deploy.local.system import System
    from deploy.tapes.figures import Figure

T = TypeVar("T")


def demo(
    once: Annotated[bool, typer.Option("--once", help="Exit after the table; status 1 when a figure differs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --once: print the table as JSON.")] = False,
) -> None:
    """Play other companies' data, compare the figures with theirs."""
    if as_json and not once:
        raise CannotContinue("--json goes with --once: a table that is followed by hours of running is no document.")
    ensure_jars()
    figures: list[Figure] = []
    with data_directory(None, ephemeral=True) as folder:
        finished = run_until_signal(_show(folder, figures, once, as_json))
    if once and not finished:
        raise typer.Exit(STOPPED_BY_PERSON)
    if not all(figure.equal for figure in figures):
        raise typer.Exit(1)


async def _show(folder: Path, figures: "list[Figure]", once: bool, as_json: bool) -> None:
    from deploy.local.state import remember
    from deploy.local.system import whole_system
    from deploy.tapes.cli import figures_table

    began = time.monotonic()
    err.print("Starting Kafka, MongoDB and the four services on throw-away data …")
    remember(folder)
    async with whole_system(folder, on_change=narrator(began)) as system:
        figures += await play_tapes(system)
        err.print()
        if as_json:
            print_json([figure.json() for figure in figures])
        else:
            out.print(figures_table(figures))
        err.print(f"{time.monotonic() - began:.0f} s from nothing to figures.")
        if once:
            return
        out.print(addresses(system))
        err.print("Ask on: `manyi metrics sla_kept --by priority`. Ctrl-C stops everything and removes the data.")
        await system.supervisor.failed()


async def play_tapes(system: "System") -> "list[Figure]":
    """Play the bundled tapes one after the other under bars and live numbers; their figures, compared."""
    from rich.console import Group
    from rich.live import Live

    from deploy.tapes.errors import TapeError
    from deploy.tapes.figures import check
    from deploy.tapes.tape import BUNDLED

    reporting = system.services["reporting"]
    bars = progress_bars()
    watched = headlines(BUNDLED)
    with Live(console=err, refresh_per_second=8) as live:

        def show(totals: list[dict[str, Any]]) -> None:
            live.update(Group(bars, numbers_table(watched, totals)))

        show([{} for _ in watched])
        looking = asyncio.create_task(watch(reporting, watched, show))
        try:
            for tape in BUNDLED:
                await in_background(partial(_play, tape, system, bars))
            show(await numbers_now(reporting, watched))
            found = [await in_background(partial(check, tape, reporting)) for tape in BUNDLED]
        except TapeError as error:
            raise CannotContinue(f"{error}.") from error
        finally:
            looking.cancel()
    return [figure for figures in found for figure in figures]


def _play(tape: str, system: "System", bars: "Progress") -> None:
    from deploy.tapes.play import play

    play(tape, kafka=system.kafka, services=system.services, wait=True, progress=bars)


async def in_background(work: Callable[[], T]) -> T:
    """Run blocking work in a thread that is abandoned when we are told to stop: a producer may wait for minutes."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(outcome: Callable[[], None]) -> None:
        if not result.done():
            outcome()

    def run() -> None:
        try:
            outcome = partial(result.set_result, work())
        except Exception as error:  # noqa: BLE001 - it is raised where the result is awaited
            outcome = partial(result.set_exception, error)
        with suppress(RuntimeError):  # the loop is closed: we were told to stop, and nobody awaits this any more
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=run, daemon=True).start()
    return await result
