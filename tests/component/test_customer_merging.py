"""Two files become one and two again: the customer service says it, reporting's numbers follow and return."""

from pathlib import Path
from typing import Any

import pytest

from services.customer.main import build as build_customer
from services.reporting.main import build as build_reporting
from tests.support.eventually import eventually
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
CLOUD = {"content-type": "application/cloudevents-batch+json"}


def told(wire: str, number: int, at: str, **data: Any) -> dict[str, Any]:
    head = {"specversion": "1.0", "id": f"{wire}-{number}", "source": "shop", "type": wire, "time": at}
    return {**head, "data": data}


def order(who: str, number: int, at: str) -> dict[str, Any]:
    return told("order.placed", number, at, customer=who, order=f"o{number}", amount=1000, currency="CNY")


async def take(customer: Running, *events: dict[str, Any]) -> None:
    answer = await customer.client.post("/v1/intake", json=list(events), headers=CLOUD)
    assert {one["outcome"] for one in answer.json()["receipts"]} == {"accepted"}, answer.text


async def file_of(customer: Running, who: str) -> dict[str, Any]:
    found = await customer.client.get("/v1/customers/by-external-id", params={"source": "shop", "id": who})
    file: dict[str, Any] = found.json()
    return file


async def numbers(reporting: Running) -> tuple[Any, ...]:
    period = {"from": "2026-01-01", "to": "2026-04-01"}
    found = []
    for metric in ("repurchase_rate", "purchases", "revenue_churn"):
        answer = await reporting.client.get(f"/v1/metrics/{metric}", params=period)
        found.append(answer.json()["total"])
    return tuple((one["n"], one["count"], one.get("amounts")) for one in found)


@pytest.mark.policy("S0-34", "S2-15")
async def test_numbers_follow_a_merge_and_return_with_its_undoing(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    settings = settings_for(stack, namespace, tmp_path)
    async with running(build_customer, settings) as customer:
        signed = {"contract": "c1", "monthlyAmount": 500, "currency": "CNY", "startsAt": "2025-06-01T00:00:00Z"}
        await take(
            customer,
            order("one", 1, "2026-01-10T04:00:00Z"),
            order("two", 2, "2026-02-10T04:00:00Z"),
            told("contract.signed", 3, "2025-06-01T00:00:00Z", customer="two", **signed),
            told("contract.changed", 4, "2025-09-01T00:00:00Z", customer="two", contract="c1", monthlyAmount=700),
            told("contract.ended", 5, "2026-03-01T00:00:00Z", customer="two", contract="c1"),
            told("interaction.logged", 6, "2026-02-11T00:00:00Z", customer="two", interaction="i1", kind="call"),
        )
        one, two = await file_of(customer, "one"), await file_of(customer, "two")
        async with running(build_reporting, settings_for(stack, namespace, tmp_path)) as reporting:

            async def becomes(*expected: Any) -> None:
                async def so() -> bool:
                    assert await numbers(reporting) == expected
                    return True

                await eventually(so, timeout=60)

            revenue = (1, 0, {"lost": {"CNY": 0}, "start": {"CNY": 700}})
            apart = (2, 0, None), (2, 2, {"CNY": 2000}), revenue
            await becomes(*apart)

            both = {"survivorId": one["customerId"], "mergedId": two["customerId"], "reason": "同一家公司"}
            merged = await customer.client.post("/v1/merges", json=both)
            assert merged.status_code == 201, merged.text
            assert merged.json()["absorbed"] == [two["customerId"]]
            again = await customer.client.post("/v1/merges", json=both)
            assert (again.status_code, again.json()["type"]) == (409, "/problems/merge-refused")
            await becomes((1, 1, None), (2, 2, {"CNY": 2000}), revenue)

            assert (await file_of(customer, "two"))["customerId"] == one["customerId"]
            place = f"/v1/customers/{one['customerId']}"
            assert len((await customer.client.get(f"{place}/purchases")).json()) == 2
            assert len((await customer.client.get(f"{place}/interactions")).json()) == 1
            listed = (await customer.client.get("/v1/customers")).json()["customers"]
            assert [file["customerId"] for file in listed] == [one["customerId"]]
            await take(customer, order("two", 7, "2026-03-10T04:00:00Z"))
            await becomes((1, 1, None), (3, 3, {"CNY": 3000}), revenue)

            undone = await customer.client.post(f"/v1/customers/{two['customerId']}/unmerge", json={"reason": "不是"})
            assert undone.status_code == 200, undone.text
            await becomes((2, 1, None), (3, 3, {"CNY": 3000}), revenue)
            assert len((await customer.client.get(f"{place}/purchases")).json()) == 1
            twice = await customer.client.post(f"/v1/customers/{two['customerId']}/unmerge", json={"reason": "不是"})
            assert (twice.status_code, twice.json()["type"]) == (409, "/problems/not-merged")
