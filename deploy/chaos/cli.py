"""`manyi chaos`: show that no fault makes a number wrong."""

import asyncio
import random
import secrets
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.screen import ensure_jars, err, out, print_json
from deploy.local.trouble import CannotContinue

if TYPE_CHECKING:
    from rich.table import Table

    from deploy.chaos.faults import Fault
    from deploy.chaos.run import Result


def chaos(
    cycles: Annotated[int, typer.Option(min=1, help="How often the first fault is made; others in proportion.")] = 20,
    seed: Annotated[int | None, typer.Option(help="Repeat a run that printed this seed.")] = None,
    only: Annotated[str | None, typer.Option(help="Faults by name, such as F4,F8; each --cycles times.")] = None,
    soak: Annotated[float | None, typer.Option(help="Minutes of faults in any order, instead of cycles.")] = None,
    rate: Annotated[float, typer.Option(min=1, help="Calls a second.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
) -> None:
    """Kill and poison a system under load; see that it stays exact.

    Exit status 1 when anything was lost, doubled or wrong.
    """
    from deploy.bench.report import machine

    ensure_jars()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the system is stopped and its data removed
    chosen_seed = secrets.randbelow(10**9) if seed is None else seed
    err.print(f"seed {chosen_seed}, {rate:g} calls/s")

    def tell(name: str, seconds: float) -> None:
        err.print(f"{name}: recovered after {seconds:.1f} s")

    chosen = _chosen(only)
    conditions, began = machine(), time.monotonic()
    usual: Iterable[tuple[Fault, int]]
    small: list[tuple[Fault, int]] = []
    if soak:
        usual = _mixed(chosen, soak, chosen_seed)
    else:
        plan = _planned(chosen, cycles, equally=only is not None)
        small = [(fault, turns) for fault, turns in plan if fault.small_disks]
        usual = [item for item in plan if item not in small]
    results: dict[str, Result] = {}
    try:
        asyncio.run(_runs(usual, small, chosen_seed, rate, tell, results))
    except KeyboardInterrupt:
        err.print("interrupted; what was compared by then:")
    if as_json:
        print_json(
            {
                "seed": chosen_seed,
                "rate": rate,
                "seconds": round(time.monotonic() - began),
                "faults": {name: result.shown() for name, result in results.items()},
                "machine": conditions,
            }
        )
    else:
        out.print(_table(results))
        for name, result in results.items():
            for line in (*result.troubles, *result.notes):
                err.print(f"{name}: {line}", markup=False)
    if not all(result.exact for result in results.values()):
        raise typer.Exit(1)


async def _runs(
    usual: "Iterable[tuple[Fault, int]]",
    small: "list[tuple[Fault, int]]",
    seed: int,
    rate: float,
    tell: Callable[[str, float], None],
    results: "dict[str, Result]",
) -> None:
    """One run, and another one on small disks; where those cannot be had, a note says so."""
    from deploy.chaos.filling import small_disks
    from deploy.chaos.run import Result, run

    if small:
        try:
            await run(small, seed, rate, tell, results, small_disks)
        except CannotContinue as refusal:
            results |= {fault.name: Result(notes=[f"not made: {refusal}"]) for fault, _ in small}
    if usual:
        await run(usual, seed, rate, tell, results)


def _chosen(only: str | None) -> "tuple[Fault, ...]":
    """Raises CannotContinue when there is no such fault."""
    from deploy.chaos.faults import FAULTS

    if only is None:
        return FAULTS
    known = {fault.name: fault for fault in FAULTS}
    names = [name.strip() for name in only.split(",")]
    if unknown := [name for name in names if name not in known]:
        raise CannotContinue(f"There is no fault {', '.join(unknown)}: choose from {', '.join(known)}.")
    return tuple(known[name] for name in names)


def _planned(faults: "Iterable[Fault]", cycles: int, *, equally: bool) -> "list[tuple[Fault, int]]":
    return [(fault, cycles if equally else max(1, round(cycles * fault.share))) for fault in faults]


def _mixed(faults: "tuple[Fault, ...]", minutes: float, seed: int) -> "Iterator[tuple[Fault, int]]":
    """One fault after another by lot until time is up."""
    lot, deadline = random.Random(seed), time.monotonic() + 60 * minutes  # noqa: S311 - for trials, nothing secret
    faults = tuple(fault for fault in faults if not fault.small_disks)
    while time.monotonic() < deadline:
        yield lot.choices(faults, [fault.share for fault in faults])[0], 1


def _table(results: "dict[str, Result]") -> "Table":
    from rich.table import Table

    from deploy.chaos.faults import FAULTS

    table = Table("fault", "what happens", "cycles", "acknowledged", "lost", "doubled", "wrong", "recovery s")
    says = {fault.name: fault.says for fault in FAULTS}
    for name, result in results.items():
        told = result.shown()
        figures = (told[column] for column in ("cycles", "acknowledged", "lost", "doubled", "wrong", "recovery_s"))
        table.add_row(name, says[name], *map(str, figures))
    return table
