"""`manyi keys`: another master key for the keys of persons, while everything runs."""

import asyncio
import json
import os
import secrets
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.screen import err
from deploy.local.state import KEYS_NAME, running_system, write_keys
from deploy.local.trouble import CannotContinue

keys = typer.Typer(
    name="keys", no_args_is_help=True, help="Rotate the master key that wraps every person's key.", add_completion=False
)

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="The running system's data directory; without one, MANYI_KEYS_FILE and MANYI_MONGO."),
]


@keys.command()
def rotate(data: DataOption = None) -> None:
    """Make a new master key, give it to the running services, and wrap every person's key with it."""
    path, mongo = place(data, to_write=True)
    held = json.loads(path.read_text())
    new = secrets.token_hex(32)
    others = held.get("other_master_keys", [])
    # First everybody can read with the new key, only then somebody writes with it: no service meets an unknown one.
    write_keys(path, {**held, "other_master_keys": [new, *others]})
    _let_services_look()
    write_keys(path, {**held, "master_key": new, "other_master_keys": [held["master_key"], *others]})
    _let_services_look()
    _tell(_rewrap(path, mongo))
    err.print(
        f"{path} still holds the former key, for a process that has not looked yet: `manyi keys retire` gives it up. "
        "Back the file up now, apart from the data, and take a backup of the keys of persons.",
        soft_wrap=True,
    )


@keys.command()
def rewrap(data: DataOption = None) -> None:
    """Wrap everything with the master key in force: after it was changed by hand, or a rotation was cut short."""
    _tell(_rewrap(*place(data)))


@keys.command()
def retire(data: DataOption = None) -> None:
    """Give the former master keys up, once nothing is wrapped with them any more."""
    path, mongo = place(data, to_write=True)
    held = json.loads(path.read_text())
    if any(_rewrap(path, mongo)):
        raise CannotContinue(
            "Something was still wrapped with a former master key just now, so a process may yet be using it: see that "
            "every service has read the key file, then run this again."
        )
    write_keys(path, {name: key for name, key in held.items() if name != "other_master_keys"})
    err.print(f"{len(held.get('other_master_keys', []))} former master keys open nothing, and are gone from {path}.")


def place(data: Path | None, *, to_write: bool = False) -> tuple[Path, str]:
    """The key file and the database, as named in the environment or as the running system has them.

    Raises CannotContinue without a system, or when the file cannot be read, or written where it is going to be.
    """
    file, mongo = os.environ.get("MANYI_KEYS_FILE"), os.environ.get("MANYI_MONGO")
    if data is None and file and mongo:
        path = Path(file)
    else:
        system = running_system(data)
        path, mongo = Path(system.data) / KEYS_NAME, system.mongo
    if not os.access(path, os.R_OK | (os.W_OK if to_write else 0)):
        raise CannotContinue(f"{path} must be a key file that can be read{' and written' if to_write else ''}.")
    return path, mongo


def _let_services_look() -> None:
    from shared.plumbing.keyring import LOOK_AT_KEYS_EVERY_S

    err.print(f"waiting {2 * LOOK_AT_KEYS_EVERY_S:.0f} s for every service to read the key file again …")
    time.sleep(2 * LOOK_AT_KEYS_EVERY_S)


def _tell(wrapped: tuple[int, int]) -> None:
    err.print(f"{wrapped[0]} keys of persons and {wrapped[1]} payloads of nobody are wrapped with the master key anew.")


def _rewrap(path: Path, mongo: str) -> tuple[int, int]:
    """Keys of persons, and payloads of nobody, that were not wrapped with the master key in force."""
    from deploy.local.topics import SPEAKERS
    from shared.plumbing.database import open_client
    from shared.plumbing.keyring import ServiceSeal, open_keyring
    from shared.plumbing.rewrapping import reseal
    from shared.plumbing.settings import Settings

    chosen: dict[str, Any] = {"keys_file": path, "mongo": mongo}
    settings = Settings(**chosen)

    async def run() -> tuple[int, int]:
        client, seal = open_client(mongo), ServiceSeal(settings)
        try:
            payloads = [await reseal(client[f"{settings.database_prefix}{name}"], seal) for name in SPEAKERS]
            return await open_keyring(client, settings, seal).rewrap(), sum(payloads)
        finally:
            await client.close()

    return asyncio.run(run())
