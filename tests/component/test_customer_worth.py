"""What a customer bought, how it was paid and what the relation is worth, over intake and HTTP; and guidance given."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.customer.main import build
from tests.support.limits import limits
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
CLOUD = {"content-type": "application/cloudevents-batch+json"}
NOW = datetime.now(UTC)


@pytest.fixture
async def customer(stack: RealStack, namespace: Namespace, tmp_path: Path) -> AsyncIterator[Running]:
    policy = limits(tmp_path, {"clv.margin": 20}, unit="percent")
    async with running(build, settings_for(stack, namespace, tmp_path, **policy)) as service:
        yield service


def told(wire: str, number: int, days_ago: int, **data: Any) -> dict[str, Any]:
    at = (NOW - timedelta(days=days_ago)).isoformat()
    event = {"specversion": "1.0", "id": f"{wire}-{number}", "source": "shop", "type": wire, "time": at}
    return {**event, "data": {"customer": "k", **data}}


async def bought(customer: Running) -> str:
    events = [
        told("customer.registered", 0, 731, company="远大机械有限公司", grade="A"),
        told("order.placed", 1, 730, order="o1", amount=700_000, currency="CNY"),
        told("order.paid", 1, 729, order="o1"),
        told("order.placed", 2, 10, order="o2", amount=300_000, currency="CNY"),
        told("order.placed", 3, 5, order="o3", amount=9_000, currency="CNY"),
        told("order.cancelled", 3, 4, order="o3"),
    ]
    answer = await customer.client.post("/v1/intake", json=events, headers=CLOUD)
    assert {one["outcome"] for one in answer.json()["receipts"]} == {"accepted"}, answer.text
    found = await customer.client.get("/v1/customers/by-external-id", params={"source": "shop", "id": "k"})
    return f"/v1/customers/{found.json()['customerId']}"


@pytest.mark.policy("S0-09", "S2-11", "S3-29")
async def test_the_file_tells_orders_payment_rfm_and_lifetime_value_and_guidance_is_a_kind_of_contact(
    customer: Running, stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    place = await bought(customer)
    worth = (await customer.client.get(f"{place}/worth")).json()
    assert (worth["orders"], worth["void"]) == (2, 1)
    assert (worth["net"], worth["unpaid"], worth["gapDays"]) == ({"CNY": 1_000_000}, {"CNY": 300_000}, 720.0)
    assert worth["recent"] == {"recencyDays": 10, "frequency": 1, "money": {"CNY": 300_000}}
    life = worth["lifetime"]
    assert (life["past"], life["years"], life["tier"]) == (200_000, 5.0, "base")
    assert life["value"] == life["past"] + life["projected"]
    assert 379_070 <= life["projected"] <= 379_079, "two years ago, to the second"

    guided = {"kind": "guidance", "channel": "phone", "needs": ["calibration"], "note": "指导校准步骤"}
    assert (await customer.client.post(f"{place}/interactions", json=guided)).status_code == 201
    (talk,) = (await customer.client.get(f"{place}/interactions")).json()
    assert (talk["kind"], talk["needs"], talk["note"]) == ("guidance", ["calibration"], "指导校准步骤")
    unknown = await customer.client.post(f"{place}/interactions", json={**guided, "kind": "gossip"})
    assert (unknown.status_code, unknown.json()["type"]) == (422, "/problems/interaction-kind-unknown")
    assert "guidance" in unknown.json()["detail"]

    async with running(build, settings_for(stack, namespace, tmp_path)) as unset:
        without = (await unset.client.get(f"{place}/worth")).json()
        assert without["unset"] == "clv.margin"
        assert "lifetime" not in without
        assert without["net"] == worth["net"]
