"""A data key for each person, wrapped by the master key and kept in a database apart from the data (PIPL 47, 51).

Whoever holds a backup of the data without this database holds noise; whoever destroys a key has erased a person from
every service, journal and backup at once. A *person* is a partition key (a customer, or a subject that belongs to
nobody we know) or somebody named within one, such as a contact.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from pymongo import UpdateOne

from shared.plumbing.database import Client, Database, Document, Session
from shared.plumbing.sealing import MARK_BYTES, BlindIndex, Seal
from shared.plumbing.settings import Settings, secret

CACHED = 10_000
"""Unwrapped keys a process keeps in memory."""
CACHED_S = 5.0
"""A destroyed key may still be remembered by another process for this long."""
REWRAPPED_AT_ONCE = 5_000
LOOK_AT_KEYS_EVERY_S = 2.0
COLLECTION = "persons"
DESTROYED = "destroyed"
"""Whose keys were destroyed and when, for good: what an older backup brings back is erased again by it."""


class _Remembered(NamedTuple):
    """A key as it was last read: until when it counts unasked, as it is kept, and unwrapped."""

    until: float
    wrapped: bytes
    key: Seal


class Keyring:
    """The keys of all persons of an installation, as one process sees them; `seal` is the service's own key."""

    def __init__(self, database: Database, seal: Seal, blind: BlindIndex) -> None:
        self.seal = seal
        self.blind = blind
        self._keys = database[COLLECTION]
        self._destroyed = database[DESTROYED]
        self._cache: OrderedDict[str, _Remembered] = OrderedDict()
        self._era = 0

    async def prepare(self) -> None:
        """The index by which somebody's whole circle is found; safe to repeat."""
        await self._keys.create_index("within", sparse=True)
        await self._destroyed.create_index("at")

    async def is_empty(self) -> bool:
        """Whether nobody ever had a key here: where all were destroyed they are not lost."""
        found = [await one.find_one({}, {"_id": 1}) for one in (self._keys, self._destroyed)]
        return found == [None, None]

    async def opening(self, closed: Iterable[tuple[str, bytes]]) -> dict[str, Seal]:
        """Keys for what was closed, from (person, sealed bytes). Somebody without a key was erased."""
        found: dict[str, Seal] = {}
        missing: set[str] = set()
        for person, sealed in closed:
            key = self._remembered(person)
            if key is not None and key.mark == sealed[:MARK_BYTES]:
                found[person] = key
            else:
                missing.add(person)
        return {**found, **await self._fetch(missing)} if missing else found

    async def closing(self, persons: Mapping[str, str | None]) -> tuple[dict[str, Seal], list[Document]]:
        """Keys to close with, from person → within whom; and those that had to be made, to be added.

        Asks the database every time: a remembered key may have been destroyed, and what it closes would be lost.
        """
        found = await self._fetch(persons)
        made: list[Document] = []
        for person, within in persons.items():
            if person in found:
                continue
            key = secrets.token_bytes(32)
            found[person] = Seal(key)
            document = {"_id": person, "wrapped": self.seal.close(key, f"keys/{person}")}
            made.append(document if within is None else {**document, "within": within})
        return found, made

    async def add(self, made: Sequence[Document], session: Session) -> None:
        """Keep new keys, in the transaction of the first thing they closed."""
        await self._keys.insert_many(made, ordered=False, session=session)

    async def destroy(self, person: str, at: datetime, session: Session) -> list[str]:
        """Destroy the keys of a person and of all within; returns whose they were, now or before.

        `at` is when the erasure is recorded. `forget` once it is committed.
        """
        circle = {"$or": [{"_id": person}, {"within": person}]}
        found = await self._keys.find(circle, {"within": 1}, session=session).to_list()
        before = [one["_id"] async for one in self._destroyed.find(circle, {"_id": 1}, session=session)]
        persons = [*{*before, *(one["_id"] for one in found)}]
        await self._keys.delete_many({"_id": {"$in": persons}}, session=session)
        if found:
            noted = [UpdateOne({"_id": one.pop("_id")}, {"$set": {"at": at, **one}}, upsert=True) for one in found]
            await self._destroyed.bulk_write(noted, ordered=False, session=session)
        return persons

    async def destroyed(self, since: datetime, at_once: int) -> AsyncIterator[list[Document]]:
        """Whose keys were destroyed since then, so many at once: _id, `at`, and `within` whose circle."""
        cursor = self._destroyed.find({"at": {"$gte": since}}).sort("at", 1).batch_size(at_once)
        while some := await cursor.to_list(at_once):
            yield some

    def forget(self) -> None:
        """Remember no key that was read until now, nor one that is being read."""
        self._era += 1
        self._cache.clear()

    async def rewrap(self) -> int:
        """Wrap every key with the current master key; safe to repeat and to run beside the services."""
        moved, last = 0, ""
        while documents := await self._after(last):
            last = documents[-1]["_id"]
            changes = [
                UpdateOne({"_id": one["_id"], "wrapped": one["wrapped"]}, {"$set": {"wrapped": self._rewrapped(one)}})
                for one in documents
                if one["wrapped"][:MARK_BYTES] != self.seal.mark
            ]
            if changes:
                moved += (await self._keys.bulk_write(changes, ordered=False)).modified_count
        return moved

    async def _after(self, last: str) -> list[Document]:
        return await self._keys.find({"_id": {"$gt": last}}).sort("_id", 1).limit(REWRAPPED_AT_ONCE).to_list()

    def _rewrapped(self, document: Document) -> bytes:
        place = f"keys/{document['_id']}"
        return self.seal.close(self.seal.open_bytes(document["wrapped"], place), place)

    async def _fetch(self, persons: Iterable[str]) -> dict[str, Seal]:
        found: dict[str, Seal] = {}
        era = self._era
        for document in await self._keys.find({"_id": {"$in": list(persons)}}, {"wrapped": 1}).to_list():
            person, wrapped = document["_id"], document["wrapped"]
            known = self._cache.get(person)
            if known is not None and known.wrapped == wrapped:
                key = known.key
            else:
                key = Seal(self.seal.open_bytes(wrapped, f"keys/{person}"))
            found[person] = key
            if era == self._era:
                self._remember(person, wrapped, key)
        return found

    def _remembered(self, person: str) -> Seal | None:
        entry = self._cache.get(person)
        if entry is None or entry.until < time.monotonic():
            return None
        self._cache.move_to_end(person)
        return entry.key

    def _remember(self, person: str, wrapped: bytes, key: Seal) -> None:
        self._cache[person] = _Remembered(time.monotonic() + CACHED_S, wrapped, key)
        self._cache.move_to_end(person)
        if len(self._cache) > CACHED:
            self._cache.popitem(last=False)


class ServiceSeal(Seal):
    """The master keys as a seal: wraps the keys of persons, and closes what cannot be attributed to anybody."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(*settings.keys.masters)
        self._settings = settings
        self._masters = settings.keys.masters

    async def look_again(self) -> None:
        """Chore: take over what a rotation wrote into the key file, without a restart."""
        masters = self._settings.read_keys().masters
        if masters != self._masters:
            self._masters = masters
            self.replace(*masters)


def keys_database(settings: Settings) -> str:
    """The name of the database of all keys of persons, which all services share."""
    return f"{settings.database_prefix}keys"


def open_keyring(client: Client, settings: Settings, seal: Seal) -> Keyring:
    """The installation's keyring, in a database of its own: back it up apart from the data."""
    database = client[keys_database(settings)]
    return Keyring(database, seal, BlindIndex(secret(settings.keys.installation_key)))
