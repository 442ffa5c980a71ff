"""What is returned for a correction (退回) is sent again, corrected, and decided anew: requests of every kind."""

from pathlib import Path

import pytest

from shared.plumbing.settings import Settings
from tests.support.customers import opened, post
from tests.support.limits import GIFTS, limits
from tests.support.service import Running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
OTHER = {"name": "李雷", "company": "珠江光学有限公司", "phone": "13700137000"}
BACK = {"decision": "return", "step": 0, "reason": "请补充说明"}


@pytest.fixture
def settings(stack: RealStack, namespace: Namespace, tmp_path: Path) -> Settings:
    return settings_for(stack, namespace, tmp_path, **limits(tmp_path, GIFTS))


async def sent_back(service: Running, place: str) -> None:
    """By somebody else and with the reason, which whoever asked reads; only then, and by that person, corrected."""
    early, told = await post(service, f"{place}/resubmission", {"reason": "早"} if "merges" in place else {})
    assert (early, told["type"]) in {(409, "/problems/approval-not-open"), (422, "/problems/no-key-field")}, told
    silent, told = await post(service, f"{place}/decisions", {**BACK, "reason": " "}, "boss")
    assert (silent, told["type"]) == (422, "/problems/approval-reason-missing")
    status, told = await post(service, f"{place}/decisions", BACK, "boss")
    assert (status, told.get("status")) == (200, "returned"), told
    assert "waitingFor" not in told


@pytest.mark.policy("S0-40", "S3-15")
async def test_a_returned_gift_leaves_the_budget_and_comes_back_to_whom_its_new_amount_belongs(
    customer: Running,
) -> None:
    who = await opened(customer)
    gift = {"customerIds": [who], "amount": 120_000, "note": "中秋礼盒"}
    asked = (await post(customer, "/v1/gifts", gift))[1]
    assert asked["waitingFor"] == "director"
    place = f"/v1/gifts/{asked['requestId']}"

    async def left() -> int:
        found: int = (await customer.client.get("/v1/budgets/gift")).json()["remaining"]
        return found

    assert await left() == 380_000
    await sent_back(customer, place)
    assert await left() == 500_000
    assert (await customer.client.get(place)).json()["because"] == BACK["reason"]
    correction = {"amount": 60_000, "note": "普通月饼"}
    other, told = await post(customer, f"{place}/resubmission", correction, "staff-2")
    assert (other, told["type"]) == (403, "/problems/approval-not-your-request")
    too_much, told = await post(customer, f"{place}/resubmission", {"amount": 500_001})
    assert (too_much, told["type"]) == (409, "/problems/budget-exhausted")
    again = (await post(customer, f"{place}/resubmission", correction))[1]
    assert (again["status"], again["cycle"], again["waitingFor"], again["note"]) == (
        "pending", 2, "manager", "普通月饼",
    )  # fmt: skip
    assert ("because" in again, await left()) == (False, 440_000)
    old, told = await post(customer, f"{place}/decisions", {"decision": "approve", "step": 0}, "boss")
    assert (old, told["type"]) == (409, "/problems/approval-step-already-decided")
    yes = {"decision": "approve", "step": 0, "cycle": 2}
    assert (await post(customer, f"{place}/decisions", yes, "boss"))[1]["status"] == "approved"
    async for record in customer.service.database["journal"].find({"type": {"$regex": "request"}}):
        assert not any(words in str(record) for words in ("请补充说明", "普通月饼"))


@pytest.mark.policy("S2-19", "S2-15", "S3-15")
async def test_a_returned_change_of_key_fields_and_a_returned_merge_are_corrected(customer: Running) -> None:
    first, second = await opened(customer, region="north"), await opened(customer, **OTHER)
    place = f"/v1/customers/{first}/key-changes"
    asked = (await post(customer, place, {"company": "华北精密仪器有限公司"}))[1]
    change = f"{place}/{asked['requestId']}"
    await sent_back(customer, change)
    assert (await customer.client.get(place)).json()[0]["because"] == BACK["reason"]
    again = (await post(customer, f"{change}/resubmission", {"company": "华北仪器股份有限公司"}))[1]
    assert (again["status"], again["cycle"], again["fields"]) == ("pending", 2, ["company"])
    yes = {"decision": "approve", "step": 0, "cycle": 2}
    assert (await post(customer, f"{change}/decisions", yes, "boss"))[1]["status"] == "approved"
    file = (await customer.client.get(f"/v1/customers/{first}")).json()
    assert file["company"] == "华北仪器股份有限公司"

    two = {"survivorId": first, "mergedId": second, "reason": "重复"}
    asked = (await post(customer, "/v1/merges", two))[1]
    merge = f"/v1/merges/{asked['mergeId']}"
    await sent_back(customer, merge)
    (waiting,) = (await customer.client.get("/v1/merges", params={"status": "returned"})).json()["merges"]
    assert (waiting["reason"], waiting["because"]) == ("重复", BACK["reason"])
    again = (await post(customer, f"{merge}/resubmission", {"reason": "同一信用代码"}))[1]
    assert (again["status"], again["cycle"], again["reason"]) == ("pending", 2, "同一信用代码")
    assert (await post(customer, f"{merge}/decisions", yes, "boss"))[1]["status"] == "approved"
    assert (await customer.client.get(f"/v1/customers/{second}")).json()["mergedInto"] == first
