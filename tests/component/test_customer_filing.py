"""Opening files by the policies' rules, over HTTP: codes, names, races and partners."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.customer.main import build
from tests.support.customers import wang
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack


@pytest.fixture
async def customer(stack: RealStack, namespace: Namespace, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(build, settings_for(stack, namespace, tmp_path)) as service:
        yield service


@pytest.mark.policy("S0-34", "S2-17", "S0-35", "S3-12")
async def test_racing_clerks_open_one_file_each_customer_and_no_code_twice(customer: Running) -> None:
    people = [wang(name=f"客户{number}", company=f"公司{number}") for number in range(6)]
    answers = await asyncio.gather(
        *(customer.client.post("/v1/customers", json=one) for one in people for _ in range(3))
    )
    assert sorted(answer.status_code for answer in answers) == [201] * 6 + [409] * 12
    refused = next(answer.json() for answer in answers if answer.status_code == 409)
    assert refused["type"] == "/problems/customer-already-registered"
    opened = [answer.json() for answer in answers if answer.status_code == 201]
    assert len({one["code"] for one in opened}) == 6
    assert all(one["code"].startswith("C-0000") for one in opened)

    first = opened[0]
    for asked in (first["code"], first["fileName"]):
        found = (await customer.client.get("/v1/customers/by-code", params={"code": asked})).json()
        assert found["customerId"] == first["customerId"]
    unknown = await customer.client.get("/v1/customers/by-code", params={"code": "X2023-07"})
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/customer-unknown")

    through = wang(company="下游公司", kind="indirect", partnerId=first["customerId"])
    indirect = (await customer.client.post("/v1/customers", json=through)).json()
    assert indirect["partnerId"] == first["customerId"]
    nobody = await customer.client.post("/v1/customers", json={**through, "name": "x", "partnerId": "0" * 32})
    assert (nobody.status_code, nobody.json()["type"]) == (422, "/problems/channel-partner-refused")


@pytest.mark.policy("S1-03", "S2-18")
async def test_an_incomplete_or_malformed_file_is_refused_with_what_to_do(customer: Running) -> None:
    lacking = await customer.client.post("/v1/customers", json={"name": "a"})
    assert (lacking.status_code, lacking.json()["type"]) == (422, "/problems/customer-fields-missing")
    assert "missing: contact, company, needs, lawful_basis" in lacking.json()["detail"]
    wrong = await customer.client.post("/v1/customers", json=wang(creditCode="91350100M000100Y44"))
    assert (wrong.status_code, wrong.json()["type"]) == (422, "/problems/customer-field-malformed")
    opened = (await customer.client.post("/v1/customers", json=wang(creditCode="91350100M000100Y43"))).json()
    assert opened["missing"] == ["industry", "size"]
    bad = await customer.client.patch(f"/v1/customers/{opened['customerId']}", json={"email": "nowhere"})
    assert bad.status_code == 422
    again = await customer.client.post("/v1/customers", json=wang(name="另一人", creditCode="91350100M000100Y43"))
    assert again.status_code == 409
