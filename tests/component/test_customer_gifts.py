"""Gifts by tier and budget over HTTP: asked for, decided once, handed over; a thousand at once keep within it."""

import asyncio
import json
from collections import Counter
from pathlib import Path

import httpx
import pytest

from services.customer.desk import Desk
from services.customer.drawing import drawing
from services.customer.main import build
from services.customer.model.budgets import BudgetExhausted, budget_of
from services.customer.model.requesting import Wanted, ask
from services.customer.views.requests import as_request
from shared.plumbing.commands import Asked, carry_out
from shared.plumbing.journal import Stale
from shared.plumbing.settings import Settings
from shared.plumbing.speaking import Speaking
from tests.support.customers import merged, opened, post, wang
from tests.support.eventually import eventually
from tests.support.issuer import Issuer
from tests.support.limits import GIFTS, limits
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack


@pytest.fixture
def settings(stack: RealStack, namespace: Namespace, tmp_path: Path) -> Settings:
    return settings_for(stack, namespace, tmp_path, **limits(tmp_path, GIFTS))


async def left(service: Running) -> int:
    found: int = (await service.client.get("/v1/budgets/gift")).json()["remaining"]
    return found


@pytest.mark.policy("S0-40", "S3-15")
async def test_a_gift_is_asked_for_decided_once_and_handed_over(customer: Running) -> None:
    who = await opened(customer)
    gift = {"customerIds": [who], "amount": 60_000, "occasion": "mid_autumn", "note": "中秋礼盒"}
    status, asked = await post(customer, "/v1/gifts", gift)
    assert status == 201, asked
    assert (asked["status"], asked["waitingFor"], asked["note"]) == ("pending", "manager", "中秋礼盒")
    assert await left(customer) == 440_000
    place = f"/v1/gifts/{asked['requestId']}"
    yes = {"decision": "approve", "step": 0}
    assert (await post(customer, f"{place}/decisions", yes))[1]["type"] == "/problems/approval-requester-cannot-approve"
    early, told = await post(customer, f"{place}/handovers", {"customerId": who})
    assert (early, told["type"]) == (409, "/problems/request-not-approved")
    racing = await asyncio.gather(*(post(customer, f"{place}/decisions", yes, f"m-{one}") for one in range(4)))
    assert sorted(status for status, _ in racing) == [200, 409, 409, 409]
    journal = customer.service.database["journal"]
    assert await journal.count_documents({"type": "manyi.request.decided.v1"}) == 1

    handed = [await post(customer, f"{place}/handovers", {"customerId": who}) for _ in range(2)]
    assert [(status, told.get("status")) for status, told in handed] == [(200, "handed_over"), (409, 409)]
    assert (await post(customer, f"{place}/settlement", {"spent": 55_000}))[1]["status"] == "settled"
    assert await left(customer) == 445_000
    listed = (await customer.client.get("/v1/gifts", params={"customer": who})).json()
    assert [one["spent"] for one in listed] == [55_000]
    assert (await customer.client.get("/v1/expenses")).json() == []
    async for record in journal.find({"type": {"$regex": "request|budget"}}):
        assert "中秋礼盒" not in str(record)
        assert json.loads(record["event"])["partitionkey"] in (who, record["subject"])

    file = f"/v1/customers/{who}"
    (shown,) = (await customer.client.get(f"{file}/360")).json()["spendings"]
    assert (shown["kind"], shown["status"], shown["amount"], shown["spent"]) == ("gift", "settled", 60_000, 55_000)
    assert (await customer.client.get(f"{file}/personal-data")).json()["requests"][0]["note"] == "中秋礼盒"
    assert (await post(customer, f"{file}/erasure", {}))[0] == 200

    async def forgotten() -> bool:  # a process may remember a key for some seconds
        left = (await customer.client.get(place)).json()
        return (left["spent"], "note" in left) == (55_000, False)

    await eventually(forgotten, timeout=40)
    assert (await post(customer, "/v1/gifts", gift))[1]["type"] == "/problems/customer-erased"


@pytest.mark.policy("S0-40")
async def test_a_refusal_tells_what_is_left_and_what_comes_back_may_be_asked_for_again(customer: Running) -> None:
    who = await opened(customer)
    gift = {"customerIds": [who], "amount": 400_000}
    asked = [await post(customer, "/v1/gifts", gift) for _ in range(2)]
    assert [status for status, _ in asked] == [201, 409]
    assert asked[1][1]["type"] == "/problems/budget-exhausted"
    assert "100000 of 500000 minor units are left" in asked[1][1]["detail"]
    assert await customer.service.database["spendings"].count_documents({}) == 1
    place = f"/v1/gifts/{asked[0][1]['requestId']}"
    assert (await post(customer, f"{place}/withdrawal", {}, "staff-2"))[0] == 403
    assert (await post(customer, f"{place}/withdrawal", {"reason": "改期"}))[1]["status"] == "withdrawn"
    again, second = await post(customer, "/v1/gifts", gift)
    assert (again, second["waitingFor"]) == (201, "director")
    no = {"decision": "reject", "step": 0, "reason": "太贵"}
    assert (await post(customer, f"/v1/gifts/{second['requestId']}/decisions", no, "d"))[1]["status"] == "rejected"
    assert await left(customer) == 500_000


@pytest.mark.policy("S3-22")
async def test_a_drive_of_gifts_is_one_request_and_tells_when_the_next_is_due(customer: Running) -> None:
    several = [await opened(customer, company=f"公司{one}", phone=f"1380013800{one}") for one in range(3)]
    assert (await customer.client.get("/v1/gift-drives/next")).json() == {"overdue": True}
    status, drive = await post(customer, "/v1/gifts", {"customerIds": [*several, several[0]], "amount": 10_000})
    assert (status, drive["amount"], drive["waitingFor"]) == (201, 30_000, "manager")
    place = f"/v1/gifts/{drive['requestId']}"
    await post(customer, f"{place}/decisions", {"decision": "approve", "step": 0}, "m")
    handed = [await post(customer, f"{place}/handovers", {"customerId": one}) for one in several]
    assert [told["status"] for _, told in handed] == ["approved", "approved", "handed_over"]
    await merged(customer, several[0], several[1])
    await post(customer, "/v1/gifts", {"customerIds": [several[2]], "amount": 1_000})
    of_both = (await customer.client.get("/v1/gifts", params={"customer": several[0]})).json()
    assert [one["requestId"] for one in of_both] == [drive["requestId"]]
    status, told = await post(customer, "/v1/gifts", {"customerIds": [several[1]], "amount": 1_000})
    assert (status, several[0] in told["detail"]) == (404, True)
    plan = (await customer.client.get("/v1/gift-drives/next")).json()
    assert plan["overdue"] is False
    assert plan["dueOn"] > plan["lastOn"]


@pytest.mark.policy("S0-40")
async def test_until_its_limits_are_set_every_gift_is_refused_by_their_name(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    async with running(build, settings_for(stack, namespace, tmp_path)) as unset:
        who = await opened(unset)
        status, told = await post(unset, "/v1/gifts", {"customerIds": [who], "amount": 1})
        assert (status, told["type"]) == (409, "/problems/limit-unset")
        assert "gift.limit.specialist is not set" in told["detail"]
        assert "limit" not in (await unset.client.get("/v1/budgets/gift")).json()


async def test_a_gift_takes_a_right_to_the_customer_and_the_role_of_the_step(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    issuer = Issuer(tmp_path)
    settings = settings_for(stack, namespace, tmp_path, **limits(tmp_path, GIFTS), **issuer.settings())
    async with running(build, settings, issuer.bearer("probe", "system")) as service:
        client, owner = service.client, issuer.bearer("u-1", "specialist")
        file = (await client.post("/v1/customers", json=wang(ownerId="u-1"), headers=owner)).json()
        gift = {"customerIds": [file["customerId"]], "amount": 1_000}

        async def posted(path: str, body: object, headers: dict[str, str]) -> httpx.Response:
            return await client.post(path, json=body, headers=headers)

        for stranger in (issuer.bearer("u-2", "specialist"), issuer.bearer("u-9", "auditor")):
            assert (await posted("/v1/gifts", gift, stranger)).status_code == 403
        asked = await posted("/v1/gifts", gift, owner)
        assert asked.status_code == 201, asked.text
        place = f"/v1/gifts/{asked.json()['requestId']}"
        yes = {"decision": "approve", "step": 0}
        assert (await posted(f"{place}/decisions", yes, issuer.bearer("u-3", "manager"))).status_code == 403
        assert (await posted(f"{place}/withdrawal", {}, issuer.bearer("u-2", "specialist"))).status_code == 403
        away = {"to": "u-3", "until": "2099-01-01T00:00:00Z", "step": 0, "reason": "出差"}
        assert (await posted(f"{place}/hand-over", away, issuer.bearer("u-9", "director"))).status_code == 403
        assert (await posted(f"{place}/hand-over", away, issuer.bearer("u-2", "specialist"))).status_code == 200
        assert (await posted(f"{place}/decisions", yes, issuer.bearer("u-3", "manager"))).status_code == 200
        assert (await posted(f"{place}/handovers", {"customerId": file["customerId"]}, owner)).status_code == 200
        assert (await posted(f"{place}/settlement", {"spent": 1_000}, owner)).status_code == 403
        finance = issuer.bearer("u-4", "finance")
        assert (await posted(f"{place}/settlement", {"spent": 1_000}, finance)).status_code == 200
        assert (await client.get(place, headers=issuer.bearer("u-5", "marketing"))).status_code == 403


@pytest.mark.policy("S0-40")
async def test_a_thousand_gift_requests_at_once_from_two_processes_never_exceed_the_budget(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    settings = settings_for(stack, namespace, tmp_path, **limits(tmp_path, GIFTS))
    async with running(build, settings) as service:
        who = await opened(service)
        processes = [Speaking("customer", settings) for _ in range(2)]
        policies = settings.read_policies()

        async def request(number: int) -> str:
            speaking = processes[number % 2]
            desk = Desk(speaking.identity, policies, settings.local_zone, speaking.clock)
            on = desk.today()
            wanted = Wanted(f"gift-{number}", "gift", 700, (who,), note="月饼")
            task, also = drawing(
                desk,
                "gift",
                wanted.request_id,
                budget_of("gift", on),
                lambda _, scene: ask(wanted, scene.others, "staff-1", policies, on, scene.now),
                on,
                wanted.customers,
            )
            while True:
                try:
                    await carry_out(speaking.ledger, task, Asked("t", "c", None, None, ""), as_request, also=also)
                except BudgetExhausted:
                    return "exhausted"
                except Stale:  # the other process was faster all the time: whoever is told so asks again
                    continue
                return "asked"

        try:
            outcomes = Counter(await asyncio.gather(*(request(number) for number in range(1_000))))
        finally:
            for speaking in processes:
                await speaking.client.close()
        database = service.service.database
        (budget,) = await database["budgets"].find().to_list()
        stored = await database["spendings"].find({}, {"amount": 1}).to_list()
        assert outcomes == {"asked": 714, "exhausted": 286}
        assert (len(stored), sum(one["amount"] for one in stored)) == (714, 499_800)
        assert budget["reserved"] == 499_800
        assert (
            budget["version"] == await database["journal"].count_documents({"type": "manyi.budget.changed.v1"}) == 714
        )
        assert await left(service) == 200
