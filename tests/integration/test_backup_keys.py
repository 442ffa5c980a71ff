"""Keys that are lost come back from their own copy, without anybody who was erased since; of copies one stays."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from deploy.backups import putting_back, taking
from deploy.backups.archive import MANIFEST
from deploy.local.trouble import CannotContinue
from shared.contracts.customer import ErasureCompleted
from shared.plumbing.journal import Ledger
from tests.support import ledgers
from tests.support.backups import Vault
from tests.support.ledgers import SERVICE, carried_out, opening
from tests.support.stack import Namespace, RealStack
from tests.support.telling import Teller

pytestmark = [pytest.mark.stack, pytest.mark.policy("S1-07")]


@pytest.fixture
async def ledger(stack: RealStack, namespace: Namespace) -> AsyncIterator[Ledger]:
    async with ledgers.ledger(stack, namespace) as found:
        yield found


@pytest.fixture
def vault(stack: RealStack, namespace: Namespace, tmp_path: Path) -> Vault:
    return Vault(stack.mongo, namespace.database_prefix, b"\x05" * 32, tmp_path)


def _erasure(person: str, at: datetime) -> dict[str, Any]:
    """As the journal of the customer service tells it."""
    left = dict.fromkeys(("completed_at", "intake_empty_at", "quarantine_empty_at"), at)
    said = ErasureCompleted.model_validate({"customer_id": person, "request_id": "r", "services": [], **left})
    event = orjson.dumps(Teller().tell(person, said, time=at))
    return {"_id": f"{person}:1", "type": ErasureCompleted.TYPE, "subject": person, "recorded": at, "event": event}


async def test_an_erasure_by_a_clock_that_is_behind_counts_and_who_was_known_anew_by_then_stays(
    ledger: Ledger, vault: Vault
) -> None:
    await carried_out(ledger, opening("a", "one"), opening("b", "two"))
    keys, journal = ledger.client[f"{vault.prefix}keys"], ledger.client[f"{vault.prefix}customer"]["journal"]
    now = (await ledger.client.admin.command("hello"))["localTime"].replace(tzinfo=UTC)
    before = now - timedelta(hours=1)
    await keys["destroyed"].insert_one({"_id": "b", "at": before})
    backup = await vault.take(SERVICE)
    await journal.insert_many([_erasure(person, before) for person in ("a", "b")])
    await ledger.client.drop_database(keys)
    _, erased = await asyncio.to_thread(
        putting_back.put_keys_back, vault.mongo, vault.prefix, vault.key, vault.keys / backup.name
    )
    found = {name: await keys[name].distinct("_id") for name in ("persons", "destroyed")}
    assert (erased, found) == (1, {"persons": ["b"], "destroyed": ["a", "b"]})


async def test_of_the_keys_one_copy_stays_and_nothing_else_is_removed(ledger: Ledger, vault: Vault) -> None:
    await carried_out(ledger, opening("a", "one"))
    first = await vault.take(SERVICE)
    (vault.keys / first.name / MANIFEST).unlink()
    second = await vault.take(SERVICE)
    assert [one.name for one in vault.keys.iterdir()] == [second.name]
    with pytest.raises(CannotContinue, match="another backup, and of the keys only the newest copy stays"):
        await replace(vault, key=b"\x06" * 32).take(SERVICE)
    unfinished = vault.folder / "other" / first.name
    shutil.copytree(first, unfinished)
    (unfinished / MANIFEST).unlink()
    for taken in (unfinished, second):  # data, begun and never finished; and whole
        to = (vault.mongo, vault.prefix, vault.key, vault.folder / "elsewhere", taken.parent, [SERVICE])
        with pytest.raises(CannotContinue, match=f"{taken.parent}.* is another backup"):
            await asyncio.to_thread(taking.take, *to)
    assert (unfinished.exists(), (vault.folder / "elsewhere").exists()) == (True, False)
    await vault.put_back(second, SERVICE)
    assert [one.name for one in vault.keys.iterdir()] == [second.name]
