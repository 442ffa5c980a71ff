"""The audit finds every way of changing what was written, with the database's own tools."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from shared.plumbing.audit.chains import AuditKeys
from shared.plumbing.audit.checkpoints import Checkpoints
from shared.plumbing.audit.trail import LINES, Audit
from shared.plumbing.audit.verify import Report, verify
from shared.plumbing.clock import SystemClock
from shared.plumbing.database import Database, open_client
from shared.plumbing.journal import Stale
from tests.support.stack import Namespace, RealStack

pytestmark = [pytest.mark.stack, pytest.mark.policy("S0-05"), pytest.mark.policy("S0-33")]
KEYS = AuditKeys(b"k" * 32, "bank")


@pytest.fixture
async def database(stack: RealStack, namespace: Namespace) -> AsyncIterator[Database]:
    client = open_client(stack.mongo)
    yield client[f"{namespace.database_prefix}audited"]
    await client.close()


def reading(number: int) -> dict[str, Any]:
    return {
        "actor": "u-1",
        "action": "customer.read",
        "decision": "read",
        "objects": [f"c{number}"],
        "roles": "roles/1",
    }


async def written(database: Database, folder: Path) -> Audit:
    """Eight readings one after another, and a checkpoint after each four."""
    audit = Audit(database, SystemClock(), KEYS)
    await audit.prepare()
    checkpoints = Checkpoints(audit, folder)
    for number in range(1, 9):
        await audit.append([reading(number)])
        if number % 4 == 0:
            await checkpoints.write()
    return audit


def found(report: Report) -> list[str]:
    return sorted({finding.kind for finding in report.findings})


async def swap(database: Database, one: int, other: int) -> None:
    """Exchange the places of two lines, each keeping its content and its hash."""
    lines = {line["link"]["seq"]: line for line in await database[LINES].find().to_list()}
    for line, place in ((lines[one], lines[other]), (lines[other], lines[one])):
        moved = {**line, "_id": place["_id"], "link": {**line["link"], "seq": place["link"]["seq"]}}
        await database[LINES].replace_one({"_id": moved["_id"]}, moved)


def at(*numbers: int) -> dict[str, Any]:
    return {"link.seq": {"$in": list(numbers)}}


CHANGES: dict[str, tuple[Callable[[Database], Awaitable[Any]], list[str]]] = {
    "nothing": (lambda db: db[LINES].find_one(), []),
    "edit": (lambda db: db[LINES].update_one(at(3), {"$set": {"actor": "u-2"}}), ["edited"]),
    "addition": (lambda db: db[LINES].update_one(at(3), {"$set": {"fields": "none"}}), ["edited"]),
    "deletion": (lambda db: db[LINES].delete_one(at(3)), ["removed"]),
    "deletion of the first": (lambda db: db[LINES].delete_many(at(1, 2)), ["removed"]),
    "reorder": (lambda db: swap(db, 3, 6), ["moved"]),
    "truncation": (lambda db: db[LINES].delete_many(at(7, 8)), ["cut off"]),
    "deletion of all": (lambda db: db[LINES].delete_many({}), ["cut off"]),
    "slipped in": (lambda db: db[LINES].insert_one({**reading(9), "_id": "x"}), ["slipped in"]),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_is_found_and_named(database: Database, tmp_path: Path, change: str) -> None:
    await written(database, tmp_path)
    assert found(await verify(database, KEYS, tmp_path)) == []
    alter, kinds = CHANGES[change]
    await alter(database)
    report = await verify(database, KEYS, tmp_path)
    assert found(report) == kinds
    assert report.checkpoints == 2


async def test_whoever_lacks_the_key_cannot_write_a_line(database: Database, tmp_path: Path) -> None:
    await written(database, tmp_path)
    forger = Audit(database, SystemClock(), AuditKeys(b"x" * 32, "bank"))
    await forger.append([reading(1)])
    assert found(await verify(database, KEYS, tmp_path)) == ["edited"]


async def test_a_changed_checkpoint_is_found(database: Database, tmp_path: Path) -> None:
    await written(database, tmp_path)
    file = next(tmp_path.glob("bank-*.jsonl"))  # noqa: ASYNC240 - a test's own directory
    sound = file.read_bytes()
    first, second, _ = sound.split(b"\n")
    for changed in (second + b"\n", sound.replace(b'"bank"', b'"tank"'), first.replace(b":[4,", b":[3,") + b"\n"):
        file.write_bytes(changed)
        assert "checkpoint" in found(await verify(database, KEYS, tmp_path))
    file.write_bytes(sound + b'{"cut by a kill')
    assert found(await verify(database, KEYS, tmp_path)) == []


def fail(audit: Audit, failure: Exception) -> None:
    """A write that is begun and fails; only of a Stale one is it known that nothing was written."""
    with audit.lines.one(rewind=Stale) as chain:
        chain.link(reading(0))
        raise failure


async def test_lines_that_come_together_share_a_write_and_a_failed_one_leaves_no_gap(database: Database) -> None:
    audit = Audit(database, SystemClock(), KEYS)
    await asyncio.gather(*(audit.append([reading(number)]) for number in range(50)))
    for failure in (Stale(), OSError("gone")):
        with pytest.raises(type(failure)):
            fail(audit, failure)
    await audit.append([reading(51)])
    report = await verify(database, KEYS, None)
    assert (found(report), report.lines) == ([], 51)
    assert len(await database[LINES].distinct("link.chain")) == 2
