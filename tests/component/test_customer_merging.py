"""Two files become one and two again: the customer service says it, reporting's numbers follow and return."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from services.customer.main import build as build_customer
from services.reporting.main import build as build_reporting
from tests.support.customers import merged, trusted, wang
from tests.support.eventually import eventually
from tests.support.limits import limits
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
            await merged(customer, both["survivorId"], both["mergedId"])
            survivor = (await customer.client.get(f"/v1/customers/{one['customerId']}")).json()
            assert survivor["absorbed"] == [two["customerId"]]
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


@pytest.mark.policy("S2-15", "S3-15")
async def test_two_people_make_one_file_of_two(stack: RealStack, namespace: Namespace, tmp_path: Path) -> None:
    def as_(person: str) -> dict[str, str]:
        return {"X-Manyi-Person": person}

    async with running(build_customer, settings_for(stack, namespace, tmp_path)) as customer:
        one = (await customer.client.post("/v1/customers", json=wang())).json()["customerId"]
        other = wang(name="李明", company="西部电机有限公司", phone="13900139000")
        two = (await customer.client.post("/v1/customers", json=other)).json()["customerId"]

        body = {"survivorId": one, "mergedId": two, "reason": "同一家公司"}
        itself = await customer.client.post("/v1/merges", json={**body, "mergedId": one}, headers=as_("clerk"))
        assert (itself.status_code, itself.json()["type"]) == (409, "/problems/merge-refused")
        asked = await customer.client.post("/v1/merges", json=body, headers=as_("clerk"))
        assert (asked.json()["status"], asked.json()["waitingFor"]) == ("pending", "director")
        place = f"/v1/merges/{asked.json()['mergeId']}"
        assert (await customer.client.get(f"/v1/customers/{two}")).json()["customerId"] == two
        listed = (await customer.client.get("/v1/merges")).json()["merges"]
        assert [(found["mergeId"], found["reason"]) for found in listed] == [(asked.json()["mergeId"], "同一家公司")]

        yes = {"decision": "approve", "step": 0}
        own = await customer.client.post(f"{place}/decisions", json=yes, headers=as_("clerk"))
        assert (own.status_code, own.json()["type"]) == (403, "/problems/approval-requester-cannot-approve")
        racing = await asyncio.gather(
            *(customer.client.post(f"{place}/decisions", json=yes, headers=as_(f"director-{n}")) for n in range(4))
        )
        assert sorted(answer.status_code for answer in racing) == [200, 409, 409, 409]
        assert (await customer.client.get(f"/v1/customers/{one}")).json()["absorbed"] == [two]
        journal = customer.service.database["journal"]
        assert await journal.count_documents({"type": "manyi.customer.merged.v1"}) == 2
        assert (await customer.client.get("/v1/merges")).json()["merges"] == []
        gone = await customer.client.post(f"{place}/withdrawal", json={}, headers=as_("clerk"))
        assert gone.status_code == 409, gone.text
        none = await customer.client.post(f"/v1/merges/{'0' * 32}/decisions", json=yes, headers=as_("director"))
        assert (none.status_code, none.json()["type"]) == (404, "/problems/merge-unknown")


@pytest.mark.policy("S2-15")
async def test_a_merge_taken_back_moves_nothing(stack: RealStack, namespace: Namespace, tmp_path: Path) -> None:
    async with running(build_customer, settings_for(stack, namespace, tmp_path)) as customer:
        one = (await customer.client.post("/v1/customers", json=wang())).json()["customerId"]
        other = wang(name="李明", company="西部电机有限公司", phone="13900139000")
        two = (await customer.client.post("/v1/customers", json=other)).json()["customerId"]
        body = {"survivorId": one, "mergedId": two, "reason": "同一家公司"}
        asked = (await customer.client.post("/v1/merges", json=body)).json()
        back = await customer.client.post(f"/v1/merges/{asked['mergeId']}/withdrawal", json={"reason": "弄错了"})
        assert (back.status_code, back.json()["status"]) == (200, "withdrawn")
        late = {"decision": "approve", "step": 0}
        refused = await customer.client.post(f"/v1/merges/{asked['mergeId']}/decisions", json=late)
        assert refused.status_code in (403, 409), refused.text
        assert (await customer.client.get(f"/v1/customers/{one}")).json()["absorbed"] == []


@pytest.mark.policy("S0-34", "S2-15", "S3-16")
async def test_what_a_merged_file_held_is_the_survivors_returns_and_is_forgotten_with_it(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    rewards = limits(tmp_path, {"credit.terms.discount": 3}, unit="percent")
    async with running(build_customer, settings_for(stack, namespace, tmp_path, **rewards)) as customer:

        async def post(path: str, body: dict[str, Any], status: int = 201) -> dict[str, Any]:
            answer = await customer.client.post(path, json=body)
            assert answer.status_code == status, answer.text
            shown: dict[str, Any] = answer.json()
            return shown

        async def get(path: str) -> Any:
            return (await customer.client.get(path)).json()

        one = (await post("/v1/customers", wang(grade="A")))["customerId"]
        other = wang(name="李明7319", company="西部电机有限公司", phone="13900139000", grade="A")
        two = (await post("/v1/customers", other))["customerId"]
        first, second = f"/v1/customers/{one}", f"/v1/customers/{two}"
        contact = (await post(f"{second}/contacts", {"name": "赵敏7319"}))["contactId"]
        await trusted(customer, two)
        terms = await post(f"{second}/entitlements", {"kind": "credit_terms", "reason": "无逾期"})
        promised = {"promise": "寄证书", "within": {"amount": 3, "unit": "working_days"}, "responsible": "u-1"}
        promise = await post(f"{second}/commitments", promised)
        await post(f"{second}/interactions", {"kind": "call", "note": "谈了7319"})
        await post(f"{second}/consents/withdrawals", {"purposes": ["greeting"]}, 200)

        await merged(customer, one, two)
        assert [held["entitlementId"] for held in await get(f"{first}/entitlements")] == [terms["entitlementId"]]
        view = await get(f"{first}/360")
        assert [task["taskId"] for task in view["tasks"]] == [promise["commitmentId"]]
        spoken = (await get(f"{second}/next-contact"))["lastContactAt"]
        assert (await get(f"{first}/next-contact"))["lastContactAt"] == spoken
        said_no = {who["personId"]: who["purposes"] for who in await get(f"{first}/consents")}
        assert [p["because"] for p in said_no[one] if p["purpose"] == "greeting"] == ["withdrawn"]
        assert contact in said_no
        use = f"{first}/entitlements/{terms['entitlementId']}/use"
        assert (await post(use, {"usedFor": "S-1"}, 200))["status"] == "used"
        assert (await post(f"{second}/unmerge", {"reason": "不是"}, 200))["customerId"] == two
        assert [held["status"] for held in await get(f"{second}/entitlements")] == ["used"]
        assert await get(f"{first}/entitlements") == []
        assert (await get(f"{first}/next-contact"))["lastContactAt"] < spoken

        await merged(customer, one, two)
        certificate = await post(f"{second}/erasure", {}, 200)
        assert (certificate["customerId"], certificate["files"]) == (one, [one, two])
        assert all(file in certificate["statement"]["en"] for file in (one, two))
        assert [told["files"] for told in await get(f"{second}/erasures")] == [[one, two]]
        keys = customer.service.client[f"{namespace.database_prefix}keys"]["persons"]
        assert await keys.count_documents({"_id": {"$in": [one, two, contact]}}) == 0

        async def forgotten() -> bool:  # a process may remember a key for some seconds
            shown = str([await get(f"{place}{part}") for place in (first, second) for part in ("/360", "")])
            return "7319" not in shown

        await eventually(forgotten, timeout=40)
        again = await customer.client.post(f"{second}/erasure")
        assert (again.status_code, again.json()["type"]) == (409, "/problems/customer-erased")
