"""Backups of the services of one test, taken and put back as the commands do."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bson
from pymongo import MongoClient

from deploy.backups import putting_back, taking
from deploy.backups.archive import Kind, opened
from shared.plumbing.database import Database
from shared.plumbing.keyring import COLLECTION
from shared.plumbing.restoring import refuse_half_restored
from shared.plumbing.sealing import Seal, Unsealable
from shared.plumbing.settings import Settings, secret


@dataclass(frozen=True)
class Vault:
    """Where a test's backups lie, of which databases and under whose key."""

    mongo: str
    prefix: str
    key: bytes
    folder: Path

    @property
    def keys(self) -> Path:
        """Where the copies of the keys lie."""
        return self.folder / "key-backups"

    async def take(self, *services: str) -> Path:
        """A new backup of these services, and of the keys; answers where the data is."""
        to = self.folder / "backups"
        data, _ = await asyncio.to_thread(taking.take, self.mongo, self.prefix, self.key, to, self.keys, services)
        return data

    async def put_back(self, backup: Path, *services: str) -> None:
        """What is there is given up for it. Raises CannotContinue."""
        given = (self.mongo, self.prefix, self.key, backup, list(services))
        await asyncio.to_thread(putting_back.put_back, *given, replace=True)


def vault_of(settings: Settings) -> Vault:
    """The one beside the key file."""
    assert settings.keys_file is not None
    key = secret(settings.keys.installation_key)
    return Vault(settings.mongo, settings.database_prefix, key, settings.keys_file.parent)


async def is_refused(*databases: Database) -> bool:
    """Whether a service would not start on one of these, since it is half restored."""
    try:
        for database in databases:
            await refuse_half_restored(database)
    except SystemExit as refusal:
        return "half restored" in str(refusal)
    return False


def readable(vault: Vault, backup: Path, masters: Sequence[bytes]) -> str:
    """What somebody reads in a backup who has everything: the key file, the keys in force and every copy of them."""
    master = Seal(*masters)
    with MongoClient[dict[str, Any]](vault.mongo) as client:
        wrapped = list(client[f"{vault.prefix}keys"][COLLECTION].find())
    for copy in sorted(vault.keys.iterdir()):
        wrapped += [one for name, one in _documents(vault, copy, "keys") if name == COLLECTION]
    opener = Seal(*masters, *(master.open_bytes(one["wrapped"], f"keys/{one['_id']}") for one in wrapped))
    text = ""
    for collection, document in _documents(vault, backup, "data"):
        text += str(document)
        for field in ("sealed", "private"):
            with suppress(Unsealable):
                text += opener.open_bytes(document.get(field, b""), f"{collection}/{document['_id']}").decode()
    return text


def _documents(vault: Vault, backup: Path, kind: Kind) -> Iterator[tuple[str, dict[str, Any]]]:
    archive, manifest = opened(backup, vault.key, kind)
    for part, told in manifest.parts.items():
        for collection, expected in told.collections.items():
            _, *batches = archive.read(part, collection, expected)
            for batch in batches:
                yield from ((collection, one) for one in bson.decode_all(batch))
