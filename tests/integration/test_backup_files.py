"""What a backup is worth: of one moment, refused when it is not as it was written, never over what is there unasked."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import BulkWriteError

from deploy.backups import putting_back, taking
from deploy.backups.archive import MANIFEST, newest, opened
from deploy.backups.drilling import drill
from deploy.local.anew import publish_anew
from deploy.local.topics import journaled_topics
from deploy.local.trouble import CannotContinue
from shared.plumbing.audit.trail import LINES
from shared.plumbing.journal import Ledger, Stale
from tests.support import ledgers
from tests.support.backups import Vault, is_refused
from tests.support.ledgers import NOON, SERVICE, booking, cancelling, carried_out, opening, stored
from tests.support.stack import Namespace, RealStack

pytestmark = [pytest.mark.stack, pytest.mark.policy("S1-07")]


@pytest.fixture
async def ledger(stack: RealStack, namespace: Namespace) -> AsyncIterator[Ledger]:
    async with ledgers.ledger(stack, namespace) as found:
        yield found


@pytest.fixture
def vault(stack: RealStack, namespace: Namespace, tmp_path: Path) -> Vault:
    return Vault(stack.mongo, namespace.database_prefix, b"\x05" * 32, tmp_path)


async def contents(ledger: Ledger) -> dict[str, Any]:
    """Every document and index of the service."""
    names = sorted(await ledger.database.list_collection_names())
    documents = {name: await ledger.database[name].find().sort("_id", 1).to_list() for name in names}
    return {"documents": documents, "indexes": {name: await _indexes(ledger, name) for name in names}}


async def _indexes(ledger: Ledger, collection: str) -> dict[str, Any]:
    return dict(await ledger.database[collection].index_information())


async def test_a_backup_brings_back_everything_and_what_came_later_is_gone(ledger: Ledger, vault: Vault) -> None:
    await carried_out(ledger, opening("a", "one"), booking("a", "e", 5, "note"), booking("b", "f", 1))
    before = await contents(ledger)
    backup = await vault.take(SERVICE)
    await carried_out(ledger, booking("a", "g", 7, "later"), opening("c"))
    await vault.put_back(backup, SERVICE)
    assert await contents(ledger) == before
    account = await stored(ledger, "a")
    assert account is not None
    assert (account.owner_name, account.entries["e"].note, "g" in account.entries) == ("one", "note", False)
    assert newest(backup.parent) == backup


async def test_a_backup_beside_writers_is_of_one_moment(ledger: Ledger, vault: Vault) -> None:
    done = asyncio.Event()

    async def write(account: str) -> None:
        number = 0
        while not done.is_set():
            number += 1
            entry = f"{account}{number}"
            with suppress(Stale):  # two may make the same collection
                await carried_out(ledger, booking(account, entry, 1), cancelling(account, entry))

    writers = [asyncio.create_task(write(account)) for account in ("a", "b")]
    try:
        backups = [await vault.take(SERVICE) for _ in range(3)]
    finally:
        done.set()
        await asyncio.gather(*writers)
    for backup in backups:
        await vault.put_back(backup, SERVICE)
        for head in await ledger.database["accounts"].find().to_list():
            account = head["_id"]
            told = await ledger.database["journal"].count_documents({"subject": account})
            entries = await ledger.database["entries"].count_documents({"owner": account})
            assert (told, 2 * entries + 1, head["total"]) == (head["version"], head["version"], 0)


async def test_payloads_of_nobody_stay_out_of_it(ledger: Ledger, vault: Vault) -> None:
    letters = [
        {"_id": "nobody's", "open": True, "sealed": b"x"},
        {"_id": "a's", "open": True, "sealed": b"x", "person": "a"},
        {"_id": "settled", "open": False, "verdict": "discarded"},
    ]
    await ledger.database["quarantine"].insert_many(letters)
    await ledger.database["import_chunks"].insert_one({"_id": "t/0", "sealed": b"x"})
    await vault.put_back(await vault.take(SERVICE), SERVICE)
    assert await ledger.database["quarantine"].distinct("_id") == ["a's", "settled"]
    assert await ledger.database["import_chunks"].find_one() is None


def _flip(path: Path, bits: int = 1) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= bits
    path.write_bytes(raw)


def _sign(path: Path, ending: str) -> None:
    path.write_text(path.read_text("utf-8")[: -len(ending)] + ending, "utf-8")


def _renumber(path: Path) -> None:
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))


SPOILED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a byte of a file": (lambda one: _flip(one / SERVICE / "journal.sealed"), "journal.sealed is not as it was"),
    "a byte of the manifest": (lambda one: _flip(one / MANIFEST), "manifest.json is not as it was written"),
    "what is no text any more": (lambda one: _flip(one / MANIFEST, 0x80), "manifest.json is not as it was written"),
    "a signature": (lambda one: _sign(one / MANIFEST, "é\n"), "manifest.json is not as it was written"),
    "a file is missing": (lambda one: (one / SERVICE / "journal.sealed").unlink(), "journal.sealed is not as it was"),
    "a file of another place": (
        lambda one: (one / SERVICE / "journal.sealed").write_bytes((one / SERVICE / "entries.sealed").read_bytes()),
        "journal.sealed is not as it was written",
    ),
    "never finished": (lambda one: (one / MANIFEST).unlink(), "no backup, or one that did not come to its end"),
    "a later format": (lambda one: _renumber(one / MANIFEST), "has format 2 and this version reads 1"),
}


@pytest.mark.parametrize("how", SPOILED)
async def test_what_is_not_as_it_was_written_is_refused_and_nothing_is_touched(
    ledger: Ledger, vault: Vault, how: str
) -> None:
    await carried_out(ledger, booking("a", "e", 5, "note"))
    backup = await vault.take(SERVICE)
    spoil, said = SPOILED[how]
    spoil(backup)
    before = await contents(ledger)
    with pytest.raises(CannotContinue, match=said):
        await vault.put_back(backup, SERVICE)
    assert await contents(ledger) == before


async def test_what_is_foreign_or_in_the_way_is_refused(ledger: Ledger, vault: Vault) -> None:
    await carried_out(ledger, booking("a", "e", 5, "note"))
    backup = await vault.take(SERVICE)
    with pytest.raises(CannotContinue, match="backup of another installation"):
        await replace(vault, key=b"\x06" * 32).put_back(backup, SERVICE)
    with pytest.raises(CannotContinue, match="holds no customer, but bank"):
        await vault.put_back(backup, "customer")
    with pytest.raises(CannotContinue, match=r"There is something in .*bank: --replace gives it up"):
        await asyncio.to_thread(
            putting_back.put_back, vault.mongo, vault.prefix, vault.key, backup, [SERVICE], replace=False
        )
    with pytest.raises(CannotContinue, match="holds keys, not data"):
        await vault.put_back(vault.keys / backup.name, SERVICE)
    with pytest.raises(CannotContinue, match="holds keys, and they are the ones that count"):
        await asyncio.to_thread(
            putting_back.put_keys_back, vault.mongo, vault.prefix, vault.key, vault.keys / backup.name
        )
    for place in (vault.folder, vault.folder / "keys", vault.folder.parent):
        with pytest.raises(CannotContinue, match="must lie apart"):
            taking.take(vault.mongo, vault.prefix, vault.key, vault.folder, place, [SERVICE])


async def test_a_half_restored_database_is_not_served_from_and_can_be_restored_again(
    ledger: Ledger, vault: Vault
) -> None:
    await carried_out(ledger, booking("a", "e", 5, "note"))
    before, backup = await contents(ledger), await vault.take(SERVICE)
    with pytest.raises(RuntimeError):
        await asyncio.to_thread(_interrupted, vault, SERVICE)
    assert await is_refused(ledger.database)
    with pytest.raises(CannotContinue, match="half restored"):
        await vault.take(SERVICE)
    await vault.put_back(backup, SERVICE)
    assert not await is_refused(ledger.database)
    assert await contents(ledger) == before


def _interrupted(vault: Vault, service: str) -> None:
    """As `put_back`, ended in the middle."""
    name = f"{vault.prefix}{service}"
    with MongoClient[dict[str, Any]](vault.mongo) as client, putting_back.emptied([client[name]], "backup"):
        raise RuntimeError


async def test_what_is_half_restored_stays_so_when_topics_are_published_anew(
    ledger: Ledger, vault: Vault, stack: RealStack, namespace: Namespace
) -> None:
    with pytest.raises(RuntimeError):
        await asyncio.to_thread(_interrupted, vault, "reporting")
    await publish_anew(stack.kafka, stack.mongo, journaled_topics(namespace.topics), vault.prefix)
    assert await is_refused(ledger.client[f"{vault.prefix}reporting"])


async def test_no_service_is_served_from_before_all_of_them_are_there(ledger: Ledger, vault: Vault) -> None:
    await ledger.database["odd"].insert_one({"count": 1})
    await ledger.database.command("collMod", "odd", validator={"count": {"$type": "string"}})
    second = ledger.client[f"{vault.prefix}second"]
    await second["things"].insert_one({"_id": "a"})
    backup = await vault.take(SERVICE, "second")
    with pytest.raises(BulkWriteError):  # in the first one: its document is not what its collection takes
        await vault.put_back(backup, SERVICE, "second")
    assert await is_refused(ledger.database)
    assert await is_refused(second)
    await vault.put_back(backup, "second")
    assert not await is_refused(second)
    assert await is_refused(second, ledger.database)
    assert await second["things"].distinct("_id") == ["a"]


async def test_keys_that_are_lost_come_back_from_their_own_copy_of_which_one_stays(
    ledger: Ledger, vault: Vault, namespace: Namespace
) -> None:
    await carried_out(ledger, opening("a", "one"), opening("b", "two"))
    await vault.take(SERVICE)
    await carried_out(ledger, replace(booking("b", "e", 1), forgets="b"))
    backup = await vault.take(SERVICE)
    assert [one.name for one in vault.keys.iterdir()] == [backup.name]
    await ledger.client.drop_database(f"{namespace.database_prefix}keys")
    await asyncio.to_thread(putting_back.put_keys_back, vault.mongo, vault.prefix, vault.key, vault.keys / backup.name)
    ledger.keyring.forget()
    names = [state.owner_name for state in [await stored(ledger, "a"), await stored(ledger, "b")] if state]
    assert names == ["one", None]
    destroyed = [one["_id"] async for some in ledger.keyring.destroyed(NOON, 10) for one in some]
    assert destroyed == ["b"]


async def test_a_drill_keeps_what_would_expire_until_it_is_counted(ledger: Ledger, vault: Vault) -> None:
    await ledger.database["brief"].create_index("until", expireAfterSeconds=0)
    backup = await vault.take(SERVICE)
    archive, manifest = opened(backup, vault.key, "data")
    for expiring in (True, False):
        name = f"{vault.prefix}beside-{expiring}"
        with MongoClient[dict[str, Any]](vault.mongo) as client:
            putting_back.pour(archive, SERVICE, manifest.parts[SERVICE], client[name], expiring=expiring)
            index = client[name]["brief"].index_information()["until_1"]
        assert (index["key"], "expireAfterSeconds" in index) == ([("until", 1)], expiring)


async def test_a_drill_counts_and_audits_and_finds_what_was_changed(
    ledger: Ledger, vault: Vault, stack: RealStack
) -> None:
    await carried_out(ledger, booking("a", "e", 5, "note"))
    backup = await vault.take(SERVICE)
    name, results = await drill(stack.mongo, vault.prefix, vault.key, backup)
    assert name == backup.name
    assert results[SERVICE].findings == ["slipped in: 2 documents of journal that no chain holds"]
    await ledger.database["journal"].drop()
    await ledger.database[LINES].drop()
    _, clean = await drill(stack.mongo, vault.prefix, vault.key, await vault.take(SERVICE))
    assert (clean[SERVICE].findings, clean[SERVICE].documents > 0) == ([], True)
    assert not [one for one in await ledger.client.list_database_names() if "drill" in one and vault.prefix in one]
