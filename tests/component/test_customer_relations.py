"""Contacts, stages and grades of a customer, over HTTP and the intake."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.customer.commands.age_customers import Ageing
from services.customer.desk import Desk
from shared.plumbing.settings import Settings
from shared.plumbing.speaking import Speaking
from tests.support.customers import wang
from tests.support.service import Running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
CLOUD = {"content-type": "application/cloudevents+json"}


@pytest.fixture
def settings(stack: RealStack, namespace: Namespace, tmp_path: Path) -> Settings:
    return settings_for(stack, namespace, tmp_path)


async def order(customer: Running, who: str, number: int, days_ago: int, amount: int = 100) -> None:
    at = datetime.now(UTC) - timedelta(days=days_ago)
    data: dict[str, Any] = {"customer": who, "order": f"{who}-{number}", "amount": amount, "currency": "CNY"}
    told = {"specversion": "1.0", "id": f"{who}-{number}", "source": "shop", "type": "order.placed"}
    answer = await customer.client.post(
        "/v1/intake", json={**told, "time": at.isoformat(), "data": data}, headers=CLOUD
    )
    assert answer.json()["receipts"][0]["outcome"] == "accepted"


async def stage(customer: Running, who: str) -> str:
    found = await customer.client.get("/v1/customers/by-external-id", params={"source": "shop", "id": who})
    return str(found.json()["lifecycle"])


@pytest.mark.policy("S2-10", "S4-14")
async def test_people_are_kept_and_linked_to_product_lines(customer: Running) -> None:
    opened = (await customer.client.post("/v1/customers", json=wang())).json()
    place = f"/v1/customers/{opened['customerId']}/contacts"
    added = (await customer.client.post(place, json={"name": "李敏", "phone": "13900139000"})).json()
    wrong = await customer.client.post(place, json={"name": "李敏", "phone": "123"})
    assert (wrong.status_code, wrong.json()["type"]) == (422, "/problems/customer-field-malformed")
    mine = f"{place}/{added['contactId']}"
    changed = await customer.client.patch(mine, json={"post": "采购经理", "phone": None})
    kept = {"name": "李敏", "post": "采购经理", "lawfulBasis": "contract", "productLines": []}
    assert changed.json() == {"contactId": added["contactId"], **kept}
    bare = await customer.client.patch(mine, json={"lawfulBasis": None})
    assert (bare.status_code, bare.json()["type"]) == (422, "/problems/no-lawful-basis")
    linked = await customer.client.put(f"{mine}/products", json={"productLines": ["spindles", "bearings"]})
    assert linked.json()["productLines"] == ["bearings", "spindles"]
    assert (await customer.client.get(place, params={"product_line": "spindles"})).json() == [linked.json()]
    assert (await customer.client.get(place, params={"product_line": "lathes"})).json() == []
    unknown = await customer.client.patch(f"{place}/{'0' * 32}", json={"post": "x"})
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/contact-unknown")


@pytest.mark.policy("S3-13")
async def test_a_customer_goes_dormant_churns_and_is_won_back(customer: Running, settings: Settings) -> None:
    await order(customer, "dormant", 1, days_ago=400)
    await order(customer, "lost", 1, days_ago=800)
    await order(customer, "lively", 1, days_ago=10)
    speaking = Speaking("customer", settings)
    desk = Desk(speaking.identity, settings.read_policies(), settings.local_zone, speaking.clock)
    ageing = Ageing(speaking.ledger, desk)
    assert await ageing.step() == 2
    await speaking.client.close()
    stages = [await stage(customer, who) for who in ("dormant", "lost", "lively")]
    assert stages == ["dormant", "churned", "active"]
    await order(customer, "lost", 2, days_ago=1)
    assert await stage(customer, "lost") == "won_back"


@pytest.mark.policy("S3-07", "S0-11", "S2-16")
async def test_buyers_are_graded_and_core_customers_listed(customer: Running) -> None:
    for number in range(1, 7):
        for turn in range(number):
            await order(customer, f"k{number}", turn, days_ago=10 * (7 - number), amount=1000)
    assert (await customer.client.post("/v1/grades")).json() == {"scored": 6}
    core = (await customer.client.get("/v1/customers", params={"core": True})).json()["customers"]
    assert {one["knownAs"]["shop"] for one in core} == {"k4", "k5", "k6"}
    low = (await customer.client.get("/v1/customers/by-external-id", params={"source": "shop", "id": "k1"})).json()
    assert low["grade"] == "D"
    place = f"/v1/customers/{low['customerId']}/grade"
    decided = await customer.client.post(place, json={"grade": "A", "reason": "战略客户"})
    assert decided.json()["grade"] == "A"
    await customer.client.post("/v1/grades")
    assert len((await customer.client.get("/v1/customers", params={"core": True})).json()["customers"]) == 4
    assert (await customer.client.get("/v1/customers", params={"lifecycle": "prospect"})).json()["customers"] == []
