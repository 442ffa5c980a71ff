"""Better terms and rewards over intake and HTTP: earned by buying again, granted for good credit, used once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.customer.main import build
from tests.support.customers import trusted, wang
from tests.support.limits import limits
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
CLOUD = {"content-type": "application/cloudevents-batch+json"}
REWARDS = {"repurchase.discount": 5, "credit.terms.discount": 3}
NOW = datetime.now(UTC)


@pytest.fixture
async def customer(stack: RealStack, namespace: Namespace, tmp_path: Path) -> AsyncIterator[Running]:
    policy = limits(tmp_path, REWARDS, unit="percent")
    async with running(build, settings_for(stack, namespace, tmp_path, **policy)) as service:
        yield service


def told(wire: str, number: int, days_ago: int, **data: Any) -> dict[str, Any]:
    at = (NOW - timedelta(days=days_ago)).isoformat()
    event = {"specversion": "1.0", "id": f"{wire}-{number}", "source": "shop", "type": wire, "time": at}
    return {**event, "data": {"customer": "wang", "order": f"o{number}", **data}}


def order(number: int, days_ago: int) -> dict[str, Any]:
    return told("order.placed", number, days_ago, amount=1_000, currency="CNY")


async def take(customer: Running, *events: dict[str, Any]) -> None:
    answer = await customer.client.post("/v1/intake", json=list(events), headers=CLOUD)
    assert {one["outcome"] for one in answer.json()["receipts"]} == {"accepted"}, answer.text


@pytest.mark.policy("S3-21")
async def test_who_buys_again_has_a_discount_that_is_used_once_and_goes_with_its_order(customer: Running) -> None:
    await take(customer, order(1, 9), order(2, 9), order(3, 5), order(4, 2))
    who = {"source": "shop", "id": "wang"}
    file = (await customer.client.get("/v1/customers/by-external-id", params=who)).json()
    place = f"/v1/customers/{file['customerId']}/entitlements"
    newest, older = (await customer.client.get(place)).json()
    assert [(one["kind"], one["percent"], one["status"]) for one in (newest, older)] == [
        ("repurchase", 5, "active")
    ] * 2

    use, body = f"{place}/{older['entitlementId']}/use", {"usedFor": "S-2026-17"}
    racing = await asyncio.gather(*(customer.client.post(use, json=body) for _ in range(4)))
    assert sorted(answer.status_code for answer in racing) == [200, 409, 409, 409]
    assert {one.json()["type"] for one in racing if one.status_code == 409} == {"/problems/entitlement-not-active"}
    journal = customer.service.database["journal"]
    assert await journal.count_documents({"type": "manyi.customer.entitlement.used.v1"}) == 1

    await take(customer, told("order.cancelled", 3, 0), told("order.cancelled", 4, 0))
    left = (await customer.client.get(place)).json()
    assert [one["status"] for one in left] == ["revoked", "used"]
    assert left[1]["usedFor"] == "S-2026-17"
    view = (await customer.client.get(f"/v1/customers/{file['customerId']}/360")).json()
    assert view["entitlements"] == left
    stored = str(await customer.service.database["entitlements"].find().to_list())
    assert "S-2026-17" not in stored + str(await journal.find().to_list())


@pytest.mark.policy("S3-16")
async def test_better_terms_are_granted_with_a_reason_to_who_has_the_grade_and_good_credit(customer: Running) -> None:
    good = (await customer.client.post("/v1/customers", json=wang(grade="B"))).json()["customerId"]
    place, body = f"/v1/customers/{good}/entitlements", {"kind": "credit_terms", "reason": "三年无逾期付款"}
    early = await customer.client.post(place, json=body)
    assert (early.status_code, early.json()["type"]) == (409, "/problems/not-eligible")
    assert "key-changes" in early.json()["detail"]
    await trusted(customer, good)
    racing = await asyncio.gather(*(customer.client.post(place, json=body) for _ in range(3)))
    assert sorted(answer.status_code for answer in racing) == [201, 409, 409]
    (held,) = (await customer.client.get(place)).json()
    assert (held["percent"], held["reason"], held["grantedBy"]) == (3, "三年无逾期付款", "local")
    taken = await customer.client.post(f"{place}/{held['entitlementId']}/revocation", json={"reason": "逾期"})
    assert taken.json()["status"] == "revoked"
    assert (await customer.client.post(place, json={**body, "reason": ""})).status_code == 422

    other = wang(grade="D", phone="13900139000", name="李敏", company="东海贸易有限公司")
    poor = (await customer.client.post("/v1/customers", json=other)).json()["customerId"]
    refused = await customer.client.post(f"/v1/customers/{poor}/entitlements", json=body)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/not-eligible")


@pytest.mark.policy("S3-16", "S3-21")
async def test_until_a_discount_is_set_orders_are_taken_and_nothing_is_granted(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    async with running(build, settings_for(stack, namespace, tmp_path)) as unset:
        await take(unset, order(1, 9), order(2, 2))
        assert await unset.service.database["entitlements"].count_documents({}) == 0
        file = (await unset.client.post("/v1/customers", json=wang(grade="A"))).json()["customerId"]
        for kind, key in (("credit_terms", "credit.terms.discount"), ("repurchase", "repurchase.discount")):
            body = {"kind": kind, "reason": "老客户"}
            refused = await unset.client.post(f"/v1/customers/{file}/entitlements", json=body)
            assert (refused.status_code, refused.json()["type"]) == (409, "/problems/limit-unset")
            assert f"{key} is not set" in refused.json()["detail"]
