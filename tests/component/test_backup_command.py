"""`manyi backup`, `manyi backup drill` and `manyi restore`, and the evidence of them in the audit."""

import asyncio
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from deploy.backups.putting_back import emptied
from services.customer.main import build
from tests.support.backups import vault_of
from tests.support.commands import manyi
from tests.support.customers import opened
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = [pytest.mark.stack, pytest.mark.policy("S1-07")]


def open_to_others(folder: Path) -> list[Path]:
    """Files of backups that not only their owner may read."""
    files = [*folder.rglob("*.sealed"), *folder.rglob("manifest.json")]
    assert files
    return [file for file in files if file.stat().st_mode & 0o077]


async def evidence(customer: Running, backup: str) -> list[tuple[str, str]]:
    """What the audit tells of a backup, the first first."""
    lines = (await customer.client.get("/v1/audit", params={"object": backup})).json()
    return [(line["action"], line["decision"]) for line in reversed(lines) if line["action"].startswith("backup.")]


async def test_backups_are_taken_tried_out_put_back_and_all_of_it_is_audited(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    settings = settings_for(stack, namespace, tmp_path, audit_dir=tmp_path / "checkpoints")
    async with running(build, settings) as customer:
        identifier = await opened(customer)
        status, out, err = await manyi(settings, "backup")
        assert status == 0, err
        folder, keys = map(Path, out.split())
        assert (folder.parent, keys.parent) == (tmp_path / "backups", tmp_path / "key-backups")
        assert open_to_others(tmp_path) == []
        status, _, err = await manyi(settings, "backup", "drill")
        assert status == 0, err
        assert await evidence(customer, folder.name) == [("backup.take", "done"), ("backup.drill", "done")]
        status, out, err = await manyi(settings, "audit", "verify")
        assert status == 0, out + err
        assert re.search(r"customer .* [1-9]\d* checkpoints", out), out

        await customer.service.database["journal"].update_one({"subject": identifier}, {"$set": {"link.seq": 7}})
        broken = await vault_of(settings).take("customer")
        status, _, err = await manyi(settings, "backup", "drill")
        assert (status, "removed: chain" in err) == (1, True), err
        assert await evidence(customer, broken.name) == [("backup.drill", "failed")]
        (broken / "customer" / "journal.sealed").write_bytes(b"")
        status, _, err = await manyi(settings, "backup", "drill", str(broken))
        assert (status, "is not as it was written" in err) == (1, True), err
        assert await evidence(customer, broken.name) == 2 * [("backup.drill", "failed")]
    status, _, err = await manyi(settings, "restore", str(folder), "--replace")
    assert status == 0, err
    async with running(build, settings) as customer:
        assert (await customer.client.get(f"/v1/customers/{identifier}")).json()["name"] == "王芳"
        assert await evidence(customer, folder.name) == [("backup.restore", "done")]


async def test_lost_keys_come_back_and_nothing_is_given_up_for_a_damaged_copy_of_them(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    settings = settings_for(stack, namespace, tmp_path)
    vault = vault_of(settings)
    async with running(build, settings) as customer:
        identifier = await opened(customer)
        data = await vault.take("customer")
    copy = vault.keys / data.name
    with MongoClient[dict[str, Any]](stack.mongo) as client:
        keys, files = client[f"{vault.prefix}keys"], client[f"{vault.prefix}customer"]["customers"]
        client.drop_database(keys)
        damaged = shutil.copytree(copy, tmp_path / "damaged")
        (damaged / "keys" / "persons.sealed").write_bytes(b"")
        files.insert_one({"_id": "later"})
        status, _, err = await manyi(settings, "restore", str(data), "--replace", "--keys", str(damaged))
        assert (status, "persons.sealed is not as it was written" in err) == (1, True), err
        assert files.find_one({"_id": "later"}) is not None
        with suppress(RuntimeError), emptied([keys], data.name):
            raise RuntimeError
        async with asyncio.timeout(60):
            status, _, err = await manyi(settings, "serve", "survey")
        assert (status, f"error: the database {keys.name} is half restored" in err) == (os.EX_CONFIG, True), err
    status, _, err = await manyi(settings, "restore", str(data), "--replace", "--keys", str(copy))
    assert status == 0, err
    async with running(build, settings) as customer:
        assert (await customer.client.get(f"/v1/customers/{identifier}")).json()["name"] == "王芳"
        assert await evidence(customer, data.name) == 2 * [("backup.restore", "done")]
