"""Putting a backup back: into a database that is empty, or is given up for it; never over what is there unasked.

The keys of persons stay those that are there: an older copy of them would bring back who was erased since. Only where
they are lost are they put back too, and then without those of everybody whose erasure the journals know of.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import bson
import orjson
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from deploy.backups.archive import Archive, Manifest, Part, apart, opened
from deploy.backups.taking import KEYS, Stored
from deploy.local.trouble import CannotContinue
from shared.contracts.customer import ErasureCompleted
from shared.plumbing.keyring import COLLECTION as PERSONS
from shared.plumbing.keyring import DESTROYED
from shared.plumbing.restoring import MARK

CLOCKS_DIFFER = timedelta(days=1)
"""An erasure is recorded by the clock of a service, and the begin of a copy by that of the database."""


def put_back(
    mongo: str, prefix: str, installation_key: bytes, folder: Path, services: list[str], *, replace: bool
) -> Manifest:
    """Put the databases of these services (none named: of all in the backup) back (blocking).

    Those services must be stopped. Until it is through they refuse to start; after a crash it may be run again, with
    `replace`. Raises CannotContinue, before anything is written, when the backup is not sound or a database is in use.
    """
    archive, manifest = opened(folder, installation_key, "data")
    unknown = sorted(set(services) - set(manifest.parts))
    if unknown:
        raise CannotContinue(f"{folder} holds no {', '.join(unknown)}, but {', '.join(sorted(manifest.parts))}.")
    with MongoClient[dict[str, Any]](mongo, w="majority", journal=True) as client:
        wanted = {name: client[f"{prefix}{name}"] for name in services or manifest.parts}
        if not replace:
            _refuse_full(wanted.values())
        with emptied(wanted.values(), manifest.backup):
            for name, database in wanted.items():
                pour(archive, name, manifest.parts[name], database)
    return manifest


def put_keys_back(mongo: str, prefix: str, installation_key: bytes, folder: Path) -> tuple[Manifest, int]:
    """Put the keys of persons back where they are lost, without those of whom the journal tells an erasure (blocking).

    Answers how many erasures those were. Raises CannotContinue when there are keys: those are the ones that count.
    """
    archive, manifest = opened(folder, installation_key, "keys")
    with MongoClient[dict[str, Any]](mongo, w="majority", journal=True, tz_aware=True) as client:
        keys = client[f"{prefix}{KEYS}"]
        _refuse_keys(keys)
        erased = list(_erased_since(client[f"{prefix}customer"], manifest.begun - CLOCKS_DIFFER))
        with emptied([keys], manifest.backup):
            pour(archive, KEYS, manifest.parts[KEYS], keys)
            return manifest, sum(_erased_anew(keys, person, told) for person, told in erased)


def check_keys(mongo: str, prefix: str, installation_key: bytes, folder: Path) -> None:
    """Raises CannotContinue when `put_keys_back` would (blocking)."""
    opened(folder, installation_key, "keys")
    with MongoClient[dict[str, Any]](mongo) as client:
        _refuse_keys(client[f"{prefix}{KEYS}"])


def _refuse_keys(keys: Stored) -> None:
    there = any(keys[name].find_one({}) is not None for name in (PERSONS, DESTROYED))
    if there and MARK not in keys.list_collection_names():
        raise CannotContinue(
            f"{keys.name} holds keys, and they are the ones that count: a copy would bring back persons who were "
            "erased since. Restore data alone, without --keys."
        )


@contextmanager
def emptied(databases: Collection[Stored], backup: str) -> Iterator[None]:
    """Give up all that is in these databases. Until the block has ended well no service starts on any of them."""
    for database in databases:
        database[MARK].replace_one({"_id": MARK}, {"backup": backup}, upsert=True)
    for database in databases:
        for name in database.list_collection_names():
            if name != MARK:
                database.drop_collection(name)
    yield
    for database in databases:
        database.drop_collection(MARK)


def pour(archive: Archive, name: str, part: Part, database: Stored, *, expiring: bool = True) -> None:
    """Write all of a part into a database where none of it is: documents first, then the indexes over them.

    Unless `expiring`, MongoDB is not told what to remove by itself.
    """
    for collection, told in part.collections.items():
        batches = archive.read(name, collection, told)
        head = bson.decode(next(batches))
        database.create_collection(collection, **head["options"])
        for batch in batches:
            documents = [RawBSONDocument(one) for one in apart(batch)]
            database[collection].insert_many(documents, ordered=False)
        indexes = head["indexes"] if expiring else [_lasting(one) for one in head["indexes"]]
        if indexes:
            database.command("createIndexes", collection, indexes=indexes)


def _lasting(index: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in index.items() if name != "expireAfterSeconds"}


def _refuse_full(databases: Collection[Stored]) -> None:
    full = [one.name for one in databases if one.list_collection_names()]
    if full:
        raise CannotContinue(
            f"There is something in {', '.join(full)}: --replace gives it up. Take a backup of it first if it may "
            "still be wanted."
        )


def _erased_anew(keys: Stored, person: str, told: Mapping[str, Any]) -> bool:
    """Erase a person from a copy of the keys, unless that copy was taken afterwards and says so."""
    if keys[DESTROYED].find_one({"_id": person, "at": {"$gte": told["at"]}}) is not None:
        return False
    keys[PERSONS].delete_many({"$or": [{"_id": person}, {"within": person}]})
    keys[DESTROYED].update_one({"_id": person}, {"$set": told}, upsert=True)
    return True


def _erased_since(database: Stored, moment: datetime) -> Iterator[tuple[str, dict[str, Any]]]:
    """Whose keys were destroyed after a moment, as the journal of the customer service tells."""
    for record in database["journal"].find({"type": ErasureCompleted.TYPE, "recorded": {"$gt": moment}}):
        event = ErasureCompleted.model_validate(orjson.loads(record["event"])["data"])
        if event.contact_id is not None:
            yield event.contact_id, {"at": record["recorded"], "within": record["subject"]}
        else:
            yield record["subject"], {"at": record["recorded"]}
