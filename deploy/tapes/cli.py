"""`manyi import`: play a tape into the running system, say what became of it, and compare its figures."""

import csv
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.screen import err, out, progress_bars
from deploy.cli.up import DataOption
from deploy.local.trouble import CannotContinue
from deploy.tapes.errors import TapeError
from deploy.tapes.figures import Figure, check
from deploy.tapes.play import Manner, Outcome, Reject, play
from deploy.tapes.receipts import OUTCOMES
from deploy.tapes.tape import BUNDLED

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["BUNDLED", "Figure", "Manner", "Outcome", "check", "figures_table", "import_tape", "outcome_table", "play"]


def import_tape(
    tape: Annotated[
        str, typer.Argument(help="telco, online-retail, incident-log …, or the path of a tape's YAML file.")
    ],
    from_dir: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="DIR",
            help="Where its files are; bundled tapes bring theirs.",
            file_okay=False,
            exists=True,
        ),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option("--speed", metavar="X", help="X seconds of its time in one; default: as fast as it goes."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until everything is taken in and counted.")] = False,
    compare: Annotated[
        bool, typer.Option("--check", help="Wait, then compare its reference figures; status 1 when one differs.")
    ] = False,
    rejects: Annotated[
        Path | None, typer.Option("--rejects", metavar="FILE", help="Refused rows go here; default TAPE-rejects.csv.")
    ] = None,
    times: Annotated[int, typer.Option("--times", min=1, max=100, hidden=True)] = 1,
    shuffle: Annotated[int | None, typer.Option("--shuffle", metavar="SEED", hidden=True)] = None,
    compression: Annotated[str, typer.Option("--compression", hidden=True)] = "lz4",
    data: DataOption = None,
) -> None:
    """Feed another company's data to the running system."""
    from deploy.tapes.addresses import find_addresses

    try:
        manner = Manner(speed, times, shuffle, compression)
        addresses = find_addresses(data)
        with progress_bars() as bars:
            outcome = play(
                tape,
                kafka=addresses.kafka,
                services=addresses.services,
                processes=addresses.processes,
                wait=wait or compare,
                progress=bars,
                folder=from_dir,
                manner=manner,
            )
        _tell(outcome, rejects or Path(f"{outcome.tape}-rejects.csv"))
        figures = check(tape, addresses.reporting, from_dir) if compare else []
    except TapeError as error:
        raise CannotContinue(f"{error}.") from error
    if compare:
        out.print(figures_table(figures))
        if not all(figure.equal for figure in figures):
            raise typer.Exit(1)


def _tell(outcome: Outcome, rejects: Path) -> None:
    out.print(outcome_table(outcome))
    if outcome.under_way:
        err.print(f"{outcome.under_way:,} events are still on their way in; --wait waits for them.")
    if outcome.rejects:
        write_rejects(rejects, outcome.rejects)
        err.print(
            f"{outcome.rejected:,} rows were refused; {len(outcome.rejects):,} of them with the reason in {rejects}."
        )


def outcome_table(outcome: Outcome) -> "Table":
    """What became of the events of each type."""
    from rich.table import Table

    rate = outcome.sent.total() / outcome.seconds if outcome.seconds else 0
    page = Table(
        title=outcome.title,
        caption=f"{outcome.sent.total():,} events sent in {outcome.seconds:.1f} s ({rate:,.0f}/s)",
        title_justify="left",
        caption_justify="left",
    )
    page.add_column("type")
    for heading in ("sent", *OUTCOMES):
        page.add_column(heading, justify="right")
    for name, sent in sorted(outcome.sent.items()):
        counts = outcome.counts.get(name, Counter())
        page.add_row(name, f"{sent:,}", *(f"{counts[result]:,}" for result in OUTCOMES))
    if outcome.unmapped:
        page.add_row("rows that could not be read", "–", "–", "–", "–", f"{outcome.unmapped:,}")
    return page


def figures_table(figures: list[Figure]) -> "Table":
    """Figure · reference (its source) · Manyi · equal?"""
    from rich.table import Table

    equal = sum(figure.equal for figure in figures)
    page = Table(
        title="Reference figures",
        caption=f"{equal} of {len(figures)} equal",
        title_justify="left",
        caption_justify="left",
    )
    for heading in ("tape", "figure", "reference", "its source", "Manyi", "equal?"):
        page.add_column(heading, justify="right" if heading in ("reference", "Manyi") else "left")
    for figure in figures:
        shown = figure.problem or "–" if figure.manyi is None else _readable(figure)
        verdict = "[green]yes[/green]" if figure.equal else "[bold red]NO[/bold red]"
        page.add_row(figure.tape, figure.figure, f"{figure.reference:,}", figure.source, shown, verdict)
    return page


def _readable(figure: Figure) -> str:
    """To the decimals of the reference, but never so that a difference is rounded away."""
    if figure.manyi is None:
        return "–"
    exponent = figure.reference.as_tuple().exponent
    return f"{figure.manyi:,.{-exponent}f}" if figure.equal and isinstance(exponent, int) else f"{figure.manyi:,}"


def write_rejects(path: Path, rejects: list[Reject]) -> None:
    """One line per refused row: file and row number (the header not counted), event type and id, reason."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "row", "type", "id", "reason"))
        writer.writerows((r.file, r.row_number, r.type, r.id, r.reason) for r in rejects)
