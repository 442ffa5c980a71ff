"""Key fields change by approval: the old value stays in force, and two who decide at once decide once."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from services.customer.commands.lapse_requests import Lapsing
from shared.contracts.envelope import parse_moment
from shared.plumbing.settings import Settings
from tests.support.customers import wang
from tests.support.nights import night
from tests.support.service import Running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack


@pytest.fixture
def settings(stack: RealStack, namespace: Namespace, tmp_path: Path) -> Settings:
    return settings_for(stack, namespace, tmp_path)


def as_(person: str) -> dict[str, str]:
    return {"X-Manyi-Person": person}


@pytest.mark.policy("S2-19", "S2-13", "S3-15")
async def test_a_key_field_changes_once_it_is_approved_and_once_only(customer: Running) -> None:
    file = (await customer.client.post("/v1/customers", json=wang(industry="machinery"))).json()
    place = f"/v1/customers/{file['customerId']}"
    another = wang(company="恒信食品", phone="13700000001", grade="A")
    marked = await customer.client.post("/v1/customers", json={**another, "keyMark": True})
    assert (marked.status_code, marked.json()["type"]) == (409, "/problems/key-field-needs-approval")
    assert (await customer.client.post("/v1/customers", json=another)).json()["grade"] == "A"
    direct = await customer.client.patch(place, json={"company": "华北精密仪器有限公司"})
    assert (direct.status_code, direct.json()["type"]) == (409, "/problems/key-field-needs-approval")
    none = await customer.client.post(f"{place}/key-changes", json={"needs": "维修", "size": "large"})
    assert (none.status_code, none.json()["type"]) == (422, "/problems/no-key-field")

    body = {"company": "华北精密仪器有限公司", "industry": "optics"}
    asked = await customer.client.post(f"{place}/key-changes", json=body, headers=as_("staff-1"))
    assert asked.status_code == 201, asked.text
    told = asked.json()
    assert (told["fields"], told["status"], told["waitingFor"]) == (["company", "industry"], "pending", "director")
    assert told["dueAt"]
    assert (await customer.client.get(place)).json()["company"] == file["company"]

    decisions = f"{place}/key-changes/{told['requestId']}/decisions"
    yes: dict[str, Any] = {"decision": "approve", "step": 0}
    own = await customer.client.post(decisions, json=yes, headers=as_("staff-1"))
    assert (own.status_code, own.json()["type"]) == (403, "/problems/approval-requester-cannot-approve")
    racing = await asyncio.gather(
        *(customer.client.post(decisions, json=yes, headers=as_(f"director-{number}")) for number in range(4))
    )
    assert sorted(answer.status_code for answer in racing) == [200, 409, 409, 409]
    changed = (await customer.client.get(place)).json()
    assert (changed["company"], changed["industry"]) == ("华北精密仪器有限公司", "optics")
    journal = customer.service.database["journal"]
    assert await journal.count_documents({"type": "manyi.customer.keychange.decided.v1"}) == 1
    assert await journal.count_documents({"type": "manyi.customer.updated.v1"}) == 1
    async for document in customer.service.database["key_changes"].find():
        assert "华北" not in str(document)


@pytest.mark.policy("S2-15", "S2-19")
async def test_a_change_that_makes_a_file_like_another_is_told_of_before_it_is_decided_and_noted_after(
    customer: Running,
) -> None:
    one = (await customer.client.post("/v1/customers", json=wang(ownerId="staff-1"))).json()
    other = wang(company="恒信食品有限公司", name="李敏", phone="13700000001")
    place = f"/v1/customers/{(await customer.client.post('/v1/customers', json=other)).json()['customerId']}"

    async def pairs() -> list[int]:
        return [found["score"] for found in (await customer.client.get("/v1/duplicates")).json()["pairs"]]

    body = {"company": "华东精密仪器股份有限公司", "phone": "+8613800138000"}
    asked = await customer.client.post(f"{place}/key-changes", json=body, headers=as_("staff-1"))
    assert asked.status_code == 201, asked.text
    (hit,) = asked.json()["alike"]
    assert (hit["code"], hit["name"], hit["score"], hit["ownerId"]) == (one["code"], "华*", 100, "staff-1")
    assert await pairs() == []
    yes = {"decision": "approve", "step": 0}
    decisions = f"{place}/key-changes/{asked.json()['requestId']}/decisions"
    decided = await customer.client.post(decisions, json=yes, headers=as_("director-1"))
    assert (decided.status_code, decided.json()["status"]) == (200, "approved"), decided.text
    assert await pairs() == [100]
    far = await customer.client.post(f"{place}/key-changes", json={"company": "远大机械"}, headers=as_("staff-1"))
    assert (far.status_code, "alike" in far.json()) == (201, False), "the same phone alone is not enough"


@pytest.mark.policy("S2-19")
async def test_a_rejected_change_needs_a_reason_and_changes_nothing(customer: Running) -> None:
    file = (await customer.client.post("/v1/customers", json=wang())).json()
    place = f"/v1/customers/{file['customerId']}"
    asked = await customer.client.post(f"{place}/key-changes", json={"phone": "13900139000"}, headers=as_("staff-1"))
    assert asked.json()["waitingFor"] == "group_leader"
    decisions = f"{place}/key-changes/{asked.json()['requestId']}/decisions"
    silent = await customer.client.post(decisions, json={"decision": "reject", "step": 0}, headers=as_("lead"))
    assert (silent.status_code, silent.json()["type"]) == (422, "/problems/approval-reason-missing")
    no = {"decision": "reject", "step": 0, "reason": "客户未确认"}
    assert (await customer.client.post(decisions, json=no, headers=as_("lead"))).json()["status"] == "rejected"
    assert (await customer.client.get(place)).json()["phone"] == file["phone"]
    unknown = f"{place}/key-changes/{'0' * 32}/decisions"
    assert (await customer.client.post(unknown, json=no, headers=as_("lead"))).status_code == 404


@pytest.mark.policy("S2-19")
async def test_requests_are_listed_with_what_they_would_change_and_taken_back_by_who_asked(customer: Running) -> None:
    file = (await customer.client.post("/v1/customers", json=wang(region="north"))).json()
    place = f"/v1/customers/{file['customerId']}/key-changes"
    first = await customer.client.post(place, json={"phone": "13900139000"}, headers=as_("staff-1"))
    second = await customer.client.post(place, json={"company": "华北精密仪器有限公司"}, headers=as_("staff-1"))
    assert {first.status_code, second.status_code} == {201}

    own = (await customer.client.get(place)).json()
    values = {one["requestId"]: one["values"] for one in own}
    assert values[first.json()["requestId"]] == {"phone": "13900139000"}
    wanted = {"waitingFor": "director"}
    waiting = (await customer.client.get("/v1/key-changes", params=wanted)).json()["keyChanges"]
    assert [one["requestId"] for one in waiting] == [second.json()["requestId"]]
    assert (waiting[0]["requester"], waiting[0]["customerId"]) == ("staff-1", file["customerId"])

    withdrawal = f"{place}/{first.json()['requestId']}/withdrawal"
    other = await customer.client.post(withdrawal, json={}, headers=as_("staff-2"))
    assert other.status_code == 403, other.text
    mine = await customer.client.post(withdrawal, json={"reason": "客户改了主意"}, headers=as_("staff-1"))
    assert (mine.status_code, mine.json()["status"]) == (200, "withdrawn")
    again = await customer.client.post(withdrawal, json={}, headers=as_("staff-1"))
    assert again.status_code == 409, again.text
    first_page = (await customer.client.get("/v1/key-changes", params={"limit": 1})).json()
    assert [one["requestId"] for one in first_page["keyChanges"]] == [second.json()["requestId"]]
    assert "next" not in first_page


@pytest.mark.policy("S2-19")
async def test_what_nobody_decides_lapses_once(customer: Running, settings: Settings) -> None:
    file = (await customer.client.post("/v1/customers", json=wang())).json()
    place = f"/v1/customers/{file['customerId']}/key-changes"
    asked = await customer.client.post(place, json={"phone": "13900139000"}, headers=as_("staff-1"))
    levels = {"approval.told_to": "", "approval.alarm_at": ""}
    as_before_levels = {"$set": {"approval.escalated": False}, "$unset": levels}
    await customer.service.database["key_changes"].update_one({"_id": asked.json()["requestId"]}, as_before_levels)
    async with night(settings) as night_after:
        lapsing = Lapsing(night_after.ledger, night_after.staffing)
        assert await lapsing.step() == 0
        night_after.at(parse_moment(asked.json()["dueAt"]))
        assert [await lapsing.step() for _ in range(2)] == [1, 0]
    assert [one["status"] for one in (await customer.client.get(place)).json()] == ["lapsed"]
    late = {"decision": "approve", "step": 0}
    refused = await customer.client.post(
        f"{place}/{asked.json()['requestId']}/decisions", json=late, headers=as_("lead")
    )
    assert refused.status_code == 409, refused.text
    journal = customer.service.database["journal"]
    decided = await journal.find_one({"type": "manyi.customer.keychange.decided.v1"})
    assert decided is not None
    assert '"outcome":"lapsed"' in decided["event"].replace(" ", "")
