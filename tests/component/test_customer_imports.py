"""Customers from tables over HTTP: mapped, checked, run, refused row by row; and back out as tables."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from services.customer.desk import Desk
from services.customer.duplicates import Duplicates
from services.customer.import_rows import Newcomers
from services.customer.importer import Importer
from services.customer.imports import CHUNK, Imports
from services.customer.main import build
from services.customer.model.importing import Reading
from services.customer.sheets import Table, read_table
from shared.plumbing.journal import Cause
from shared.plumbing.settings import Settings
from shared.plumbing.speaking import Speaking
from tests.support.customers import wang
from tests.support.eventually import eventually
from tests.support.issuer import Issuer
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
COLUMNS = {
    "编号": "externalId",
    "公司": "company",
    "姓名": "name",
    "手机": "phone",
    "需求": "needs",
    "行业": "industry",
}
READING = {"columns": COLUMNS, "constants": {"lawfulBasis": "contract"}, "source": "legacy"}


@pytest.fixture
def settings(stack: RealStack, namespace: Namespace, tmp_path: Path) -> Settings:
    return settings_for(stack, namespace, tmp_path)


def table(*rows: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([[*COLUMNS, "备注"], *rows])
    return text.getvalue().encode("gb18030")


def person(number: int, **more: str) -> list[str]:
    digits = f"139{number * 7919:08}"
    said = {
        "编号": f"L{number}",
        "公司": f"{number}{'甲乙丙丁'[number % 4]}号机电",
        "姓名": f"客户{number}",
        "手机": digits,
    }
    return [{**said, "需求": "校准", **more}.get(column, "") for column in (*COLUMNS, "备注")]


async def uploaded(customer: Running, content: bytes) -> dict[str, Any]:
    answer = await customer.client.post(
        "/v1/imports", content=content, headers={"content-type": "application/octet-stream"}
    )
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def taken(customer: Running, import_id: str, how: str, reading: dict[str, Any]) -> dict[str, Any]:
    """A check or a run, once it is over."""
    begun = await customer.client.post(f"/v1/imports/{import_id}/{how}", json=reading)
    assert begun.status_code == 202, begun.text
    found: dict[str, Any] = {}

    async def over() -> bool:
        found.update((await customer.client.get(f"/v1/imports/{import_id}")).json())
        return bool(found["state"] in ("checked", "done", "failed"))

    await eventually(over, timeout=60)
    return found


@pytest.mark.policy("S2-14", "S2-15", "S2-18")
async def test_a_table_is_checked_then_run_and_a_second_run_changes_nothing(customer: Running) -> None:
    known = (await customer.client.post("/v1/customers", json=wang())).json()
    content = table(
        person(1),
        person(2, 手机="123"),
        person(3, 公司="华东精密仪器股份有限公司", 手机="+8613800138000"),
        person(4),
        person(4, 需求="再说一遍"),
        person(5, 公司="1乙号机电有限公司", 姓名="", 手机="13900007919"),
        person(6, 编号="", 公司="", 手机=""),
        *[person(number) for number in range(7, 7 + CHUNK)],
        person(200, 公司="1乙号机电", 手机="13900007919"),
    )
    job = await uploaded(customer, content)
    assert (job["format"], job["rows"], job["state"]) == ("csv", CHUNK + 8, "uploaded")
    assert job["suggested"] == COLUMNS
    assert (await uploaded(customer, content))["importId"] == job["importId"]

    counts = {"opened": CHUNK + 2, "duplicate": 4, "refused": 2}
    counts |= {"alike": 0}
    checked = await taken(customer, job["importId"], "checks", READING)
    assert (checked["state"], checked["rowsDone"], checked["counts"]) == ("checked", CHUNK + 8, counts)
    assert len((await customer.client.get("/v1/customers")).json()["customers"]) == 1
    report = (await customer.client.get(f"/v1/imports/{job['importId']}/rows", params={"outcome": "duplicate"})).json()
    reasons = {one["row"]: one["reason"] for one in report["rows"]}
    assert known["code"] in reasons[4]
    assert "row 5" in reasons[6]
    assert "row 2" in reasons[7]
    assert "row 2" in reasons[CHUNK + 9]

    done = await taken(customer, job["importId"], "runs", READING)
    assert (done["state"], done["counts"]) == ("done", counts)
    rejected = await customer.client.get(f"/v1/imports/{job['importId']}/rejects")
    rejects = read_table(rejected.content)
    assert rejects.columns == [*COLUMNS, "备注", "rejected row", "rejected because"]
    assert [(cells[0], cells[7]) for _, cells in rejects.rows] == [
        ("L2", "3"),
        ("L3", "4"),
        ("L4", "6"),
        ("L5", "7"),
        ("", "8"),
        ("L200", str(CHUNK + 9)),
    ]
    assert "phone: not written as mobile or landline" in rejects.rows[0][1][8]
    assert "nothing says which customer it is" in rejects.rows[4][1][8]
    as_xlsx = await customer.client.get(f"/v1/imports/{job['importId']}/rejects", params={"format": "xlsx"})
    assert read_table(as_xlsx.content).rows == rejects.rows
    params = {"source": "legacy", "id": "L1"}
    opened = (await customer.client.get("/v1/customers/by-external-id", params=params)).json()
    assert (opened["company"], opened["channel"], opened["lawfulBasis"]) == ("1乙号机电", "import", "contract")

    events = await customer.service.database["journal"].count_documents({})
    again = await taken(customer, job["importId"], "runs", READING)
    assert again["counts"] == {"unchanged": CHUNK + 2, "duplicate": 4, "refused": 2, "alike": 0}
    assert await customer.service.database["journal"].count_documents({}) == events


@pytest.mark.policy("S2-19")
async def test_an_export_is_an_import_that_changes_what_was_changed_in_it_except_for_key_fields(
    customer: Running,
) -> None:
    first = (await customer.client.post("/v1/customers", json=wang(needs="=1+1"))).json()
    second = (await customer.client.post("/v1/customers", json=wang(company="恒信", phone="13900000001"))).json()
    exported = await customer.client.get("/v1/customers/export", params={"purpose": "service"})
    assert "'=1+1" in exported.text
    columns, *rows = csv.reader(io.StringIO(exported.text.removeprefix("\ufeff"), newline=""))
    assert {row[0] for row in rows} == {first["code"], second["code"]}
    rows.sort()
    rows[0][columns.index("needs")] = "维修"
    rows[1][columns.index("phone")] = "13900000002"
    text = io.StringIO()
    csv.writer(text).writerows([columns, *rows])
    job = await uploaded(customer, text.getvalue().encode())
    assert set(columns) - set(job["suggested"]) == {"customerId", "lifecycle"}
    done = await taken(customer, job["importId"], "runs", {"columns": job["suggested"]})
    assert done["counts"] == {"changed": 1, "refused": 1, "alike": 0}
    refused = (await customer.client.get(f"/v1/imports/{job['importId']}/rows", params={"outcome": "refused"})).json()
    assert "phone changes by approval alone" in refused["rows"][0]["reason"]
    chosen = {"format": "xlsx", "kind": "direct", "purpose": "service"}
    sheet = await customer.client.get("/v1/customers/export", params=chosen)
    found = read_table(sheet.content)
    assert {cells[found.columns.index("needs")] for _, cells in found.rows} == {"维修", "校准服务"}


async def test_an_import_goes_on_where_its_process_left_it_and_takes_no_row_twice(settings: Settings) -> None:
    speaking = Speaking("customer", settings)
    ledger = speaking.ledger
    desk = Desk(speaking.identity, settings.read_policies(), settings.local_zone, speaking.clock)
    duplicates, imports = Duplicates(ledger), Imports(ledger)
    await ledger.prepare()
    rows = [(number, person(number)[:6]) for number in range(2, 2 + 2 * CHUNK)]
    job = await imports.keep("i1", Table("csv", list(COLUMNS), rows), "u-1")
    job = await imports.start(job, "run", Reading.model_validate(READING), Cause("u-1"), None)
    first = Importer(ledger, desk, duplicates, imports)
    claimed = await first._claim()
    assert claimed is not None
    chunk, _ = await anext(imports.chunks(claimed))
    await first._take(claimed, chunk, await first._numbers(claimed), Newcomers())
    second = Importer(ledger, desk, duplicates, imports)
    assert await second.step() == 0  # the first may still be at it
    await ledger.database["imports"].update_one({"_id": "i1"}, {"$set": {"until": None}})
    assert await second.step() == 1
    assert await first.step() == 0
    kept = await imports.find("i1")
    assert kept is not None
    assert (kept["state"], kept["counts"]["opened"]) == ("done", 2 * CHUNK)
    assert await ledger.database["customers"].count_documents({}) == 2 * CHUNK
    sealed = str(await ledger.database["import_chunks"].find().to_list())
    assert "客户2" not in sealed
    await speaking.client.close()


@pytest.mark.policy("S0-37")
async def test_only_who_may_imports_or_exports_and_the_audit_tells(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    issuer = Issuer(tmp_path)
    settings = settings_for(stack, namespace, tmp_path, **issuer.settings())
    async with running(build, settings, issuer.bearer("probe", "system")) as customer:
        director = issuer.bearer("u-1", "director")
        opened = (await customer.client.post("/v1/customers", json=wang(), headers=director)).json()
        upload = {"content": table(person(1)), "headers": director}
        job = (await customer.client.post("/v1/imports", **upload)).json()  # type: ignore[arg-type]
        for role, expected in (("director", 200), ("auditor", 403), ("specialist", 403), ("marketing", 403)):
            who = issuer.bearer("u-2", role)
            answer = await customer.client.get("/v1/customers/export", params={"purpose": "service"}, headers=who)
            assert answer.status_code == expected, role
        for role, expected in (("auditor", 200), ("group_leader", 403)):
            place = f"/v1/imports/{job['importId']}/rejects"
            assert (await customer.client.get(place, headers=issuer.bearer("u-3", role))).status_code == expected
        denied = await customer.client.post(
            "/v1/imports", content=table(person(2)), headers=issuer.bearer("u-4", "specialist")
        )
        assert denied.status_code == 403
        lines = await customer.service.database["audit"].find({}).to_list()
        told = {(one["actor"], one["action"], one["decision"], *one["objects"]) for one in lines}
        assert ("u-2", "customer.export", "read", opened["customerId"]) in told
        assert ("u-3", "import.read", "read", job["importId"]) in told
        assert ("u-4", "customer.import", "denied") in told
        large = await customer.client.post("/v1/imports", content=b"x" * (9 * 1024 * 1024), headers=director)
        assert large.status_code == 413
