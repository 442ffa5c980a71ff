"""Taking a backup beside running services: every database is read as it was at one moment.

A snapshot session of MongoDB reads all collections at the same cluster time, so state, journal and cursors of a service
fit one another as after a crash at that moment. The server keeps that moment for `minSnapshotHistoryWindowInSeconds`
(300 s unless it is told otherwise); a database that takes longer to read is refused with what to do, never half saved.
"""

import itertools
import secrets
import shutil
import time
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import OperationFailure

from deploy.backups.archive import FORMAT, Archive, Collected, Kind, Manifest, Part, copies_of_keys
from deploy.local.topics import SPEAKERS
from deploy.local.trouble import CannotContinue
from shared.plumbing.restoring import MARK

Stored = Database[dict[str, Any]]
KEYS = "keys"
KEPT: Mapping[str, Mapping[str, Any]] = {
    "quarantine": {"$or": [{"open": False}, {"person": {"$exists": True}}]},
    "imports": {"_id": None},
    "import_chunks": {"_id": None},
}
"""Collection → which of its documents are saved, where not all are. Open letters that could not be attributed to
anybody, and uploaded tables, lie under the master key: no erasure would reach them in a backup. They expire within 30
days in the database too, and who sent them has them."""
BATCH = 10_000
TOO_OLD, UNAVAILABLE = 239, 246
ATTEMPTS = 5
"""A collection that was made or indexed just now cannot be read yet as of this moment."""


def take(
    mongo: str, prefix: str, installation_key: bytes, to: Path, keys_to: Path, services: Collection[str] = SPEAKERS
) -> tuple[Path, Path]:
    """Save the services' databases into a new folder in `to`, then the keys of persons in `keys_to` (blocking).

    Of the keys only this newest copy stays: an older one would bring back who was erased since. They are read last, so
    that they open everything in the data but what was erased meanwhile.

    Raises CannotContinue, OSError and PyMongoError.
    """
    places = to.resolve(), keys_to.resolve()
    if any(one.is_relative_to(other) for one, other in itertools.permutations(places)):
        raise CannotContinue(f"Data and keys must lie apart: with --keys-to name a place not in {to} nor around it.")
    with MongoClient[dict[str, Any]](mongo, tz_aware=True) as client:
        now = client.admin.command("hello")["localTime"]
        backup = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        present = set(client.list_database_names())
        databases = {name: f"{prefix}{name}" for name in services if f"{prefix}{name}" in present}
        if not databases:
            raise CannotContinue(f"No database of Manyi begins with {prefix}: there is nothing to back up.")
        older = copies_of_keys(keys_to, installation_key)
        data = _save(client, backup, "data", databases, to, installation_key)
        keys = _save(client, backup, "keys", {KEYS: f"{prefix}{KEYS}"}, keys_to, installation_key)
    for folder in older:
        shutil.rmtree(folder)
    return data, keys


def _save(
    client: MongoClient[dict[str, Any]],
    backup: str,
    kind: Kind,
    databases: Mapping[str, str],
    to: Path,
    installation_key: bytes,
) -> Path:
    folder = to / backup
    folder.mkdir(parents=True, mode=0o700)
    archive = Archive(folder, backup, installation_key)
    begun: datetime = client.admin.command("hello")["localTime"]
    parts = {part: _part(archive, part, client[name]) for part, name in databases.items()}
    archive.finish(
        Manifest(
            format=FORMAT,
            backup=backup,
            kind=kind,
            begun=begun,
            installation=archive.installation,
            mongo=client.server_info()["version"],
            parts=parts,
        )
    )
    return folder


def _part(archive: Archive, part: str, database: Stored) -> Part:
    """One database at one moment. Raises CannotContinue when reading it took longer than that moment is kept."""
    for attempt in range(1, ATTEMPTS + 1):
        # Listed first: what is made later is not in the snapshot.
        listed = [one for one in database.list_collections() if one["type"] == "collection"]
        kept = [one for one in listed if not one["name"].startswith("system.")]
        if any(one["name"] == MARK for one in kept):
            raise CannotContinue(f"{database.name} is half restored: first let `manyi restore` come to its end.")
        try:
            with database.client.start_session(snapshot=True) as session:
                position = _position(database, [one["name"] for one in kept], session)
                saved = {one["name"]: _collection(archive, part, database, one, session) for one in kept}
        except OperationFailure as error:
            if error.code == TOO_OLD:
                raise CannotContinue(
                    f"Reading {database.name} took longer than MongoDB keeps a moment: raise its parameter "
                    "minSnapshotHistoryWindowInSeconds (300 by default) and begin again, or copy the volume instead."
                ) from error
            if error.code != UNAVAILABLE or attempt == ATTEMPTS:
                raise
            time.sleep(1.0)
        else:
            return Part(collections=saved, position=position)
    raise AssertionError("the last attempt returns or raises")


def _collection(
    archive: Archive, part: str, database: Stored, listed: Mapping[str, Any], session: ClientSession
) -> Collected:
    name = listed["name"]
    indexes = [dict(one) for one in database[name].list_indexes()]
    head = {"options": listed["options"], "indexes": [one for one in indexes if one["name"] != "_id_"]}
    batches: Any = database[name].find_raw_batches(dict(KEPT.get(name, {})), session=session, batch_size=BATCH)
    return archive.write(part, name, head, batches)


def _position(database: Stored, names: list[str], session: ClientSession) -> dict[str, str | dict[str, int]]:
    """How far a service had come: its journal, or else what is counted of each partition."""
    found: dict[str, str | dict[str, int]] = {}
    newest = database["journal"].find_one({}, {"recorded": 1}, sort=[("recorded", -1)], session=session)
    if newest is not None:
        found["journal"] = newest["recorded"].isoformat()
    for name in names:
        if name.endswith(".cursors"):
            found[name] = {one["_id"]: one["next"] for one in database[name].find({}, {"next": 1}, session=session)}
    return found
