"""`manyi up` and `manyi down`: start the whole system in the foreground, stop the one that runs."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.lifetime import data_directory, run_until_signal
from deploy.cli.screen import ensure_jars, err, out
from deploy.local.trouble import CannotContinue

if TYPE_CHECKING:
    from deploy.local.supervisor import Supervisor
    from deploy.local.system import System

DataOption = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Data directory; default .manyi/data.")]
DOWN_WITHIN = 60.0


def up(
    ephemeral: Annotated[
        bool, typer.Option("--ephemeral", help="Keep data in a temporary directory, removed at the end.")
    ] = False,
    data: DataOption = None,
    external: Annotated[
        bool, typer.Option("--external", help="Use the Kafka and MongoDB named by MANYI_KAFKA and MANYI_MONGO.")
    ] = False,
    stack_only: Annotated[
        bool, typer.Option("--stack-only", help="Only Kafka and MongoDB, for services run by hand with `manyi serve`.")
    ] = False,
) -> None:
    """Start Kafka, MongoDB and the services; Ctrl-C stops them all."""
    if ephemeral and data:
        raise CannotContinue("--ephemeral and --data exclude each other: choose one.")
    if not external:
        ensure_jars()
    with data_directory(data, ephemeral) as folder:
        run_until_signal(_stay_up(folder, external, stack_only))


async def _stay_up(folder: Path, external: bool, stack_only: bool) -> None:
    from deploy.local.mongo import LICENCE_NOTICE
    from deploy.local.state import remember
    from deploy.local.system import PREFERRED_PORTS, whole_system

    began = time.monotonic()
    err.print(f"Starting Manyi on {folder} …")
    names = () if stack_only else tuple(PREFERRED_PORTS)
    remember(folder)
    async with whole_system(folder, external, names, on_change=narrator(began)) as system:
        out.print(addresses(system))
        for note in displaced(system.services):
            err.print(note)
        if not external:
            err.print(f"[dim]{LICENCE_NOTICE}[/dim]")
        err.print(f"Ready in {time.monotonic() - began:.1f} s. Ctrl-C stops everything.")
        await system.supervisor.failed()


def narrator(began: float) -> Callable[["Supervisor"], None]:
    """Says once per process when it is ready, and later when it died and when it is back."""
    seen: dict[str, tuple[int, bool]] = {}

    def tell(supervisor: "Supervisor") -> None:
        for name in supervisor.names:
            now = supervisor.starts(name), supervisor.is_ready(name)
            before = seen.get(name, (0, False))
            if now == before:
                continue
            seen[name] = now
            if now[1] and not before[1]:
                err.print(f"  [green]✓[/green] {name:<10} ready after {time.monotonic() - began:.1f} s")
            elif now[0] > max(before[0], 1):
                err.print(f"  [yellow]↻[/yellow] {name:<10} ended and was started again")

    return tell


def addresses(system: "System") -> str:
    """Where everything listens, for people to click on."""
    lines = [f"{name:<10} {url}   docs {url}/docs" for name, url in system.services.items()]
    return "\n".join([*lines, f"{'kafka':<10} {system.kafka}", f"{'mongo':<10} {system.mongo}"])


def displaced(services: dict[str, str]) -> list[str]:
    """A sentence for each service that had to leave its usual port to somebody else."""
    from deploy.local.ports import holder
    from deploy.local.system import PREFERRED_PORTS

    return [
        f"[yellow]Port {usual} is in use by {holder(usual)}, so {name} listens on {url.rsplit(':', 1)[1]}.[/yellow]"
        for name, url in services.items()
        if not url.endswith(f":{(usual := PREFERRED_PORTS[name])}")
    ]


def down(data: DataOption = None) -> None:
    """Stop the running system cleanly and wait until it is gone."""
    import os
    import signal

    from deploy.local.state import running_pid, running_system

    state = running_system(data)
    os.kill(state.pid, signal.SIGTERM)

    async def gone() -> None:
        async with asyncio.timeout(DOWN_WITHIN):
            while running_pid(Path(state.data)) is not None:  # noqa: ASYNC110 - another process says it
                await asyncio.sleep(0.1)

    try:
        asyncio.run(gone())
    except TimeoutError as error:
        raise CannotContinue(
            f"Manyi (pid {state.pid}) has not stopped after {DOWN_WITHIN:.0f} s: "
            f"`kill -9 {state.pid}` ends it and its children."
        ) from error
    err.print(f"Stopped (pid {state.pid}).")
