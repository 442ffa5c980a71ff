"""Files about the same customer are found when one is opened and over the whole stock."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.customer.main import build
from tests.support.customers import wang
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
CLOUD = {"content-type": "application/cloudevents-batch+json"}


@pytest.fixture
async def customer(stack: RealStack, namespace: Namespace, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(build, settings_for(stack, namespace, tmp_path)) as service:
        yield service


async def register(customer: Running, *people: dict[str, Any]) -> None:
    events = [
        {"specversion": "1.0", "id": one["customer"], "source": "crm", "type": "customer.registered", "data": one}
        for one in people
    ]
    answer = await customer.client.post("/v1/intake", json=events, headers=CLOUD)
    assert {one["outcome"] for one in answer.json()["receipts"]} == {"accepted"}, answer.text


@pytest.mark.policy("S0-34", "S2-15")
async def test_a_like_file_is_refused_shown_masked_and_kept_for_a_decision(customer: Running) -> None:
    first = (await customer.client.post("/v1/customers", json=wang(ownerId="staff-1"))).json()
    like = wang(company="华东精密仪器股份有限公司", phone="+8613800138000", name="李敏")
    hits = (await customer.client.post("/v1/duplicates/check", json=like)).json()
    assert hits == [
        {
            "customerId": first["customerId"],
            "code": first["code"],
            "name": "华*",
            "ownerId": "staff-1",
            "score": 100,
            "reasons": ["same_phone", "same_name"],
        }
    ]
    refused = await customer.client.post("/v1/customers", json=like)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/customer-looks-like-another")
    assert first["code"] in refused.json()["detail"]
    assert "华东" not in refused.text
    opened = await customer.client.post("/v1/customers", json={**like, "notTheSameAs": [first["customerId"]]})
    assert opened.status_code == 201
    pairs = (await customer.client.get("/v1/duplicates")).json()["pairs"]
    assert [(one["score"], {file["code"] for file in one["files"]}) for one in pairs] == [
        (100, {first["code"], opened.json()["code"]})
    ]


@pytest.mark.policy("S2-15")
async def test_the_stock_is_scanned_by_what_files_share_and_again_without_doubling(customer: Running) -> None:
    branches = [{"customer": f"s{number}", "company": f"第{number}分店", "phone": "4000000000"} for number in range(52)]
    await register(
        customer,
        {"customer": "a", "company": "远大机械有限公司", "phone": "13900000001", "email": "a@example.com"},
        {"customer": "b", "company": "远大机戒有限公司", "email": "A@EXAMPLE.COM"},
        {"customer": "c", "company": "远大机械集团"},
        {"customer": "d", "company": "恒信食品有限公司", "phone": "13900000009"},
        {"customer": "e", "company": "恒信食品公司", "phone": "13900000009"},
        *({**one, "address": "中山路 1 号"} if number < 2 else one for number, one in enumerate(branches)),
    )
    for _ in range(2):
        scan = (await customer.client.post("/v1/duplicates/scans")).json()
        assert scan == {"blocks": 6, "skipped": 1, "pairs": 4, "candidates": 4}, "d and e share two marks"
    pairs = (await customer.client.get("/v1/duplicates")).json()["pairs"]
    assert sorted(((one["score"], one["reasons"]) for one in pairs), reverse=True) == [
        (100, ["same_phone", "same_name"]),
        (88, ["same_phone", "same_place", "alike_name"]),
        (88, ["same_mail", "alike_name"]),
        (85, ["same_name"]),
    ]
    for document in await customer.service.database["customers"].find({}, {"marks": 1}).to_list():
        assert all(isinstance(mark, bytes) and len(mark) == 16 for mark in document["marks"])


@pytest.mark.policy("S2-15")
async def test_a_pair_is_told_apart_with_a_reason_remembered_by_scans_and_reconsidered(customer: Running) -> None:
    await register(
        customer,
        {"customer": "a", "company": "远大机械有限公司", "phone": "13900000001"},
        {"customer": "b", "company": "远大机戒有限公司", "phone": "13900000001"},
    )

    async def listed(**query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await customer.client.get("/v1/duplicates", params=query)).json()["pairs"]
        return found

    await customer.client.post("/v1/duplicates/scans")
    (pair,) = await listed()
    one, other = (file["customerId"] for file in pair["files"])
    body = {"customerId": other, "otherId": one, "reason": "母子公司"}
    told = await customer.client.post("/v1/duplicates/dismissals", json=body, headers={"X-Manyi-Person": "clerk-1"})
    assert (told.status_code, told.json()["reason"], told.json()["by"]) == (200, "母子公司", "clerk-1"), told.text
    again = await customer.client.post("/v1/duplicates/dismissals", json=body)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/told-apart-already")
    assert (await customer.client.post("/v1/duplicates/scans")).json()["candidates"] == 1
    assert await listed() == []
    assert [(found["dismissedBy"], found["score"]) for found in await listed(dismissed=True)] == [
        ("clerk-1", pair["score"])
    ]
    journal = str(await customer.service.database["journal"].find().to_list())
    assert "母子公司" not in journal + str(await customer.service.database["told_apart"].find().to_list())

    back = await customer.client.post("/v1/duplicates/reconsiderations", json={**body, "reason": "已合并"})
    assert (back.status_code, "by" in back.json()) == (200, False), back.text
    assert await listed() == [pair]
    for refused, slug in (
        ({**body, "otherId": other}, "one-file-only"),
        ({**body, "otherId": "0" * 32}, "pair-unknown"),
    ):
        answer = await customer.client.post("/v1/duplicates/dismissals", json=refused)
        assert answer.json()["type"] == f"/problems/{slug}"
    nothing = await customer.client.post("/v1/duplicates/reconsiderations", json=body)
    assert (nothing.status_code, nothing.json()["type"]) == (409, "/problems/not-told-apart")
