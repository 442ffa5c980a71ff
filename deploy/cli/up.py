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
MOST_PROCESSES = 64
"""Of one service on one machine; a typing mistake should not fill the memory."""


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
    scale: Annotated[
        list[str] | None,
        typer.Option("--scale", metavar="SERVICE=N", help="Run N processes of a service; may be repeated."),
    ] = None,
    protected: Annotated[
        bool, typer.Option("--protected", help="Every request needs a token; `manyi token` makes them.")
    ] = False,
) -> None:
    """Start Kafka, MongoDB and the services; Ctrl-C stops them all."""
    if ephemeral and data:
        raise CannotContinue("--ephemeral and --data exclude each other: choose one.")
    if stack_only and scale:
        raise CannotContinue("--stack-only and --scale exclude each other: without services there is none to scale.")
    counts = scale_of(scale or [])
    if not external:
        ensure_jars()
    with data_directory(data, ephemeral) as folder:
        run_until_signal(_stay_up(folder, external, stack_only, counts, protected))


def scale_of(wishes: list[str]) -> dict[str, int]:
    """`reporting=3` as {"reporting": 3}; raises CannotContinue for what is not SERVICE=N with a service of ours."""
    from deploy.local.system import PREFERRED_PORTS

    counts: dict[str, int] = {}
    for wish in wishes:
        name, _, count = wish.partition("=")
        if name not in PREFERRED_PORTS or not count.isdecimal() or not 1 <= int(count) <= MOST_PROCESSES:
            raise CannotContinue(
                f"--scale {wish} is not understood: write SERVICE=N with N from 1 to {MOST_PROCESSES}, for example "
                f"--scale reporting=3 (services are {', '.join(PREFERRED_PORTS)})."
            )
        if name in counts:
            raise CannotContinue(f"--scale names {name} twice: say once how many processes of it shall run.")
        counts[name] = int(count)
    return counts


async def _stay_up(folder: Path, external: bool, stack_only: bool, scale: dict[str, int], protected: bool) -> None:
    from deploy.local.issuer import settings_for
    from deploy.local.mongo import LICENCE_NOTICE
    from deploy.local.state import remember
    from deploy.local.system import PREFERRED_PORTS, whole_system

    began = time.monotonic()
    err.print(f"Starting Manyi on {folder} …")
    settings = settings_for(folder) if protected else {}
    names = () if stack_only else tuple(PREFERRED_PORTS)
    remember(folder)
    async with whole_system(folder, external, names, narrator(began), scale, settings) as system:
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
                err.print(f"  [green]✓[/green] {name:<12} ready after {time.monotonic() - began:.1f} s")
            elif now[0] > max(before[0], 1):
                err.print(f"  [yellow]↻[/yellow] {name:<12} ended and was started again")

    return tell


def addresses(system: "System") -> str:
    """Where everything listens, for people to click on."""
    processes = [address for group in system.instances.values() for address in group.items()]
    lines = [f"{name:<12} {url}   docs {url}/docs" for name, url in processes]
    return "\n".join([*lines, f"{'kafka':<12} {system.kafka}", f"{'mongo':<12} {system.mongo}"])


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
