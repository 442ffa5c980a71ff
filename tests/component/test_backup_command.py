"""`manyi backup`, `manyi backup drill` and `manyi restore`, and the evidence of them in the audit."""

from pathlib import Path

import pytest

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
    settings = settings_for(stack, namespace, tmp_path)
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

        await customer.service.database["journal"].update_one({"subject": identifier}, {"$set": {"link.seq": 7}})
        broken = await vault_of(settings).take("customer")
        status, _, err = await manyi(settings, "backup", "drill")
        assert (status, "removed: chain" in err) == (1, True), err
        assert await evidence(customer, broken.name) == [("backup.drill", "failed")]
    status, _, err = await manyi(settings, "restore", str(folder), "--replace")
    assert status == 0, err
    async with running(build, settings) as customer:
        assert (await customer.client.get(f"/v1/customers/{identifier}")).json()["name"] == "王芳"
        assert await evidence(customer, folder.name) == [("backup.restore", "done")]
