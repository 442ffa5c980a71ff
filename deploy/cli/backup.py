"""`manyi backup` and `manyi restore`: everything as it was at one moment, and a proof that it can be put back."""

import asyncio
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.keys import DataOption, place
from deploy.cli.lifetime import data_directory
from deploy.cli.screen import ensure_jars, err, out
from deploy.cli.up import DataOption as StoppedOption
from deploy.local.state import KEYS_NAME
from deploy.local.topics import SPEAKERS
from deploy.local.trouble import CannotContinue

DATA_PLACE, KEYS_PLACE = "backups", "key-backups"
"""Beside the key file, unless said otherwise."""

backup = typer.Typer(
    name="backup",
    invoke_without_command=True,
    help="Back everything up beside running services; try a backup out.",
    add_completion=False,
)

ToOption = Annotated[
    Path | None, typer.Option("--to", help="Where backups lie, each in a folder of its own; best on another machine.")
]


@backup.callback()
def take(
    context: typer.Context,
    data: DataOption = None,
    to: ToOption = None,
    keys_to: Annotated[
        Path | None,
        typer.Option("--keys-to", help="Where the keys of persons go, apart from the data; only the newest stay."),
    ] = None,
) -> None:
    """Back every service up as it is at one moment, and the keys of persons apart from it."""
    if context.invoked_subcommand is not None:
        return
    from deploy.backups.archive import opened
    from deploy.backups.taking import take as save

    keys_file, mongo = place(data)
    settings = _settings(keys_file, mongo)
    key, prefix = _installation_key(settings), settings.database_prefix
    here = keys_file.parent
    there, keys = save(mongo, prefix, key, to or here / DATA_PLACE, keys_to or here / KEYS_PLACE)
    _, manifest = opened(there, key, "data")
    results = {name: (True, f"{part.documents} documents") for name, part in manifest.parts.items()}
    _note(settings, "backup.take", manifest.backup, results)
    for name, (_, result) in results.items():
        err.print(f"[green]✓[/green] {name:<10} {result}")
    out.print(f"{there}\n{keys}", soft_wrap=True)
    err.print("Copy both elsewhere, not to the same place, and the key file to a third.")


@backup.command()
def drill(
    folder: Annotated[Path | None, typer.Argument(metavar="BACKUP", help="Its folder; the newest otherwise.")] = None,
    data: DataOption = None,
    to: ToOption = None,
) -> None:
    """Put a backup back beside the live databases, count and audit it, remove it, and note the result."""
    from deploy.backups.archive import newest
    from deploy.backups.drilling import drill as try_out

    keys_file, mongo = place(data)
    settings = _settings(keys_file, mongo)
    chosen = folder or newest(to or keys_file.parent / DATA_PLACE)
    if chosen is None:
        raise CannotContinue(f"There is no backup in {to or keys_file.parent / DATA_PLACE}: `manyi backup` takes one.")
    try:
        name, drilled = asyncio.run(try_out(mongo, settings.database_prefix, _installation_key(settings), chosen))
    except CannotContinue as refusal:
        _note(settings, "backup.drill", chosen.resolve().name, dict.fromkeys(SPEAKERS, (False, str(refusal))))
        raise
    results = {
        service: (not one.findings, f"{one.documents} documents, {one.lines} lines, {len(one.findings)} findings")
        for service, one in drilled.items()
    }
    _note(settings, "backup.drill", name, results)
    for service, (well, result) in results.items():
        err.print(f"{'[green]✓[/green]' if well else '[red]✗[/red]'} {service:<10} {result}")
        for finding in drilled[service].findings:
            err.print(f"  {finding}", soft_wrap=True)
    if not all(well for well, _ in results.values()):
        raise CannotContinue(f"{chosen} does not come back as it was: keep it, and take another backup now.")


def restore(
    folder: Annotated[
        Path | None, typer.Argument(metavar="BACKUP", help="Its folder; may be left out with --keys.")
    ] = None,
    service: Annotated[list[str] | None, typer.Option("--service", help="Only this service; repeatable.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Give up what is in the databases now.")] = False,
    keys: Annotated[
        Path | None, typer.Option("--keys", help="Put the keys of persons back too: only where they are lost.")
    ] = None,
    data: StoppedOption = None,
) -> None:
    """Put a backup back; whoever was erased since stays erased.

    Every service that is put back must be stopped; all of them with --keys. The key file must lie in the data directory
    already. Without --data, key file and MongoDB are those that MANYI_KEYS_FILE and MANYI_MONGO name, if both are set.
    """
    if folder is None and keys is None:
        raise CannotContinue("Name the folder of a backup, or with --keys that of the keys, or both.")
    file, mongo = os.environ.get("MANYI_KEYS_FILE"), os.environ.get("MANYI_MONGO")
    if data is None and file and mongo:
        _put_back(Path(file), mongo, folder, service or [], replace, keys)
    else:
        ensure_jars()
        with data_directory(data, ephemeral=False) as here:
            asyncio.run(_here(here, folder, service or [], replace, keys))


async def _here(here: Path, folder: Path | None, services: list[str], replace: bool, keys: Path | None) -> None:
    """On the data of a system of this machine. Raises CannotContinue while that runs, or has never run."""
    from deploy.local.stack import embedded_stack
    from deploy.local.state import exclusive, refuse_without_data

    refuse_without_data(here)
    with exclusive(here):
        async with embedded_stack(here) as stack:
            await asyncio.to_thread(_put_back, here / KEYS_NAME, stack.mongo, folder, services, replace, keys)


def _put_back(
    keys_file: Path, mongo: str, folder: Path | None, services: list[str], replace: bool, keys: Path | None
) -> None:
    """Blocking; in a thread without a running loop."""
    from deploy.backups.putting_back import check_keys, put_back, put_keys_back
    from deploy.local.anew import refuse_while_running

    settings = _settings(keys_file, mongo)
    key, prefix = _installation_key(settings), settings.database_prefix
    refuse_while_running(mongo, prefix, services if services and keys is None else SPEAKERS)
    if keys is not None:
        check_keys(mongo, prefix, key, keys)
    if folder is not None:
        manifest = put_back(mongo, prefix, key, folder, services, replace=replace)
        parts = {name: part for name, part in manifest.parts.items() if not services or name in services}
        results = {name: (True, f"{part.documents} documents") for name, part in parts.items()}
        _note(settings, "backup.restore", manifest.backup, results)
        for name, (_, result) in results.items():
            err.print(f"[green]✓[/green] {name:<10} {result}, as of {manifest.begun:%Y-%m-%d %H:%M:%S} UTC")
    if keys is not None:
        manifest, erased = put_keys_back(mongo, prefix, key, keys)
        result = f"keys of persons, without {erased} erasures"
        _note(settings, "backup.restore", manifest.backup, dict.fromkeys(SPEAKERS, (True, result)))
        err.print(
            f"[green]✓[/green] keys of persons as of {manifest.begun:%Y-%m-%d %H:%M:%S} UTC, without {erased} erasures "
            "that the journal tells of. Whoever was erased later, by the certificates, must be erased again."
        )
    err.print("If a service refuses to start now because of its topic, docs/runbook.md says what to do.")


def _settings(keys_file: Path, mongo: str) -> Any:
    from shared.plumbing.settings import Settings

    chosen: dict[str, Any] = {"keys_file": keys_file, "mongo": mongo}
    return Settings(**chosen)


def _installation_key(settings: Any) -> bytes:
    from shared.plumbing.settings import secret

    return secret(settings.keys.installation_key)


def _note(settings: Any, action: Any, name: str, results: dict[str, tuple[bool, str]]) -> None:
    from deploy.backups.evidence import note

    asyncio.run(note(settings, action, name, results))
