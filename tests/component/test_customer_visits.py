"""Visits, receptions, their expenses and procurement over HTTP: planned, done, paid for within the budget."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.customer.main import build
from shared.plumbing.settings import Settings
from tests.support.customers import opened, post, wang
from tests.support.eventually import eventually
from tests.support.issuer import Issuer
from tests.support.limits import EXPENSES, limits
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
YES = {"decision": "approve", "step": 0}


@pytest.fixture
def settings(stack: RealStack, namespace: Namespace, tmp_path: Path) -> Settings:
    return settings_for(stack, namespace, tmp_path, **limits(tmp_path, EXPENSES))


@pytest.mark.policy("S1-08", "S3-06", "S3-09")
async def test_a_reception_is_planned_paid_for_within_the_budget_and_done_with_its_key_facts(customer: Running) -> None:
    who, today = await opened(customer), datetime.now(UTC)
    planned = {"customerId": who, "kind": "reception", "plannedFor": today.isoformat(), "purpose": "参观工厂"}
    status, visit = await post(customer, "/v1/visits", planned)
    assert (status, visit["status"], visit["staffId"]) == (201, "planned", "staff-1"), visit
    place = f"/v1/visits/{visit['visitId']}"

    dinner = {"amount": 60_000, "visitId": visit["visitId"], "note": "接待晚餐"}
    status, asked = await post(customer, "/v1/expenses", dinner)
    assert (status, asked["steps"], asked["customerIds"]) == (201, ["group_leader", "manager"], [who]), asked
    too_much = await post(customer, "/v1/expenses", {"amount": 140_001})
    assert (too_much[0], too_much[1]["type"]) == (409, "/problems/budget-exhausted")
    assert "140000 of 200000 minor units are left of expense.budget.quarter" in too_much[1]["detail"]
    both = await post(customer, "/v1/expenses", {**dinner, "customerId": who})
    assert (both[0], (await post(customer, "/v1/expenses", {"amount": 1, "visitId": "0" * 32}))[0]) == (422, 404)
    decisions = f"/v1/expenses/{asked['requestId']}/decisions"
    assert (await post(customer, decisions, YES, "li"))[1]["waitingFor"] == "manager"
    twice = await post(customer, decisions, {**YES, "step": 1}, "li")
    assert (twice[0], twice[1]["type"]) == (403, "/problems/approval-approved-already-by-you")
    assert (await post(customer, decisions, {**YES, "step": 1}, "sun"))[1]["status"] == "approved"
    settled = await post(customer, f"/v1/expenses/{asked['requestId']}/settlement", {"spent": 52_000}, "zhao")
    assert settled[1]["status"] == "settled"
    costs = (await customer.client.get(f"{place}/costs")).json()
    assert (costs["requests"], costs["taken"], costs["spent"]) == (1, 52_000, 52_000)
    assert (await customer.client.get("/v1/budgets/expense")).json()["remaining"] == 148_000

    bare = await post(customer, f"{place}/completion", {"outcome": "toured"})
    assert (bare[0], bare[1]["type"]) == (422, "/problems/report-incomplete")
    report = {"outcome": "toured", "needs": ["training"], "keyFacts": "王总关心交期", "inquiry": "delivery"}
    racing = await asyncio.gather(*(post(customer, f"{place}/completion", report) for _ in range(3)))
    assert sorted(status for status, _ in racing) == [200, 409, 409]
    (talk,) = (await customer.client.get(f"/v1/customers/{who}/interactions")).json()
    assert (talk["kind"], talk["staffId"], talk["needs"]) == ("reception", "staff-1", ["training"])
    journal = str(await customer.service.database["journal"].find({"subject": visit["visitId"]}).to_list())
    stored = str(await customer.service.database["visits"].find().to_list())
    assert not [word for word in ("参观工厂", "王总关心交期") if word in journal + stored]
    copied = (await customer.client.get(f"/v1/customers/{who}/personal-data")).json()["visits"]
    assert [one["keyFacts"] for one in copied] == ["王总关心交期"]

    timeline = (await customer.client.get(f"/v1/customers/{who}/timeline")).json()["happened"]
    assert {"manyi.visit.completed.v1", "manyi.request.settled.v1"} <= {one["type"] for one in timeline}

    came_by = await post(customer, "/v1/visits/unplanned", {**report, "customerId": who})
    assert (came_by[0], came_by[1]["status"]) == (201, "done")
    assert (await post(customer, f"/v1/customers/{who}/erasure", {}))[0] == 200

    async def forgotten() -> bool:  # a process may remember a key for some seconds
        left = (await customer.client.get(place)).json()
        return (left["outcome"], "keyFacts" in left, "purpose" in left) == ("toured", False, False)

    await eventually(forgotten, timeout=40)
    day = timedelta(days=1)
    period = {"from": (today - day).date().isoformat(), "to": (today + 2 * day).date().isoformat()}
    kept = (await customer.client.get("/v1/visits/adherence", params=period)).json()
    assert kept == {"planned": 1, "kept": 1, "keptOnDay": 1, "unplanned": 1, "rate": 1.0}


@pytest.mark.policy("S0-31", "S0-32")
async def test_procurement_is_signed_by_three_and_an_emergency_nobody_ratifies_becomes_a_violation(
    customer: Running,
) -> None:
    _, asked = await post(customer, "/v1/procurements", {"amount": 900_000, "note": "检测设备"})
    assert (asked["steps"], "dueAt" in asked) == (["dept_head", "finance", "ceo"], True)
    place = f"/v1/procurements/{asked['requestId']}"
    for step, person in enumerate(("head", "zhao", "qian")):
        status, told = await post(customer, f"{place}/decisions", {**YES, "step": step}, person)
        assert status == 200, told
    assert told["status"] == "approved"

    urgent = {"amount": 50_000, "requester": "staff-1", "note": "停机备件"}
    own = await post(customer, "/v1/procurements/emergencies", urgent, "staff-1")
    assert (own[0], own[1]["type"]) == (403, "/problems/approval-requester-cannot-approve")
    none = await post(customer, "/v1/expenses/emergencies", urgent, "sun")
    assert (none[0], none[1]["type"]) == (403, "/problems/approval-no-emergency-path")
    status, acted = await post(customer, "/v1/procurements/emergencies", urgent, "sun")
    assert (status, acted["status"], acted["authorisedBy"]) == (201, "pending_ratification", "sun")

    spendings = customer.service.database["spendings"]
    past = datetime.now(UTC) - timedelta(minutes=1)
    await spendings.update_one({"_id": acted["requestId"]}, {"$set": {"approval.due_at": past, "timer_at": past}})

    async def violated() -> bool:
        answer = await customer.client.get(f"/v1/procurements/{acted['requestId']}")
        return bool(answer.json()["status"] == "violation")

    await eventually(violated, timeout=40)
    waiting = await customer.client.get("/v1/procurements", params={"waitingFor": "dept_head"})
    assert waiting.json() == []


@pytest.mark.policy("S3-09")
async def test_a_specialists_plan_waits_for_the_supervisor_of_the_team(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    issuer, teams = Issuer(tmp_path), tmp_path / "teams.yaml"
    teams.write_text("teams:\n- team: north\n  members: [u-1, u-2]\n- team: south\n  members: [u-3]\n")
    settings = settings_for(stack, namespace, tmp_path, teams_file=teams, **issuer.settings())
    async with running(build, settings, issuer.bearer("probe", "system")) as service:
        client, owner = service.client, issuer.bearer("u-1", "specialist")
        file = (await client.post("/v1/customers", json=wang(ownerId="u-1"), headers=owner)).json()
        planned = {"customerId": file["customerId"], "plannedFor": "2026-12-01T02:00:00Z", "purpose": "年度回访"}
        stranger = issuer.bearer("u-3", "group_leader", teams=["south"])
        assert (await client.post("/v1/visits", json=planned, headers=stranger)).status_code == 403
        asked = await client.post("/v1/visits", json=planned, headers=owner)
        assert (asked.status_code, asked.json()["status"]) == (201, "proposed"), asked.text
        place = f"/v1/visits/{asked.json()['visitId']}"
        early = await client.post(f"{place}/completion", json={"outcome": "met"}, headers=owner)
        assert (early.status_code, early.json()["type"]) == (409, "/problems/visit-not-open")
        leader, yes = issuer.bearer("u-2", "group_leader", teams=["north"]), {"decision": "approve", "cycle": 2}
        back = {"decision": "return", "reason": "改到十二月"}
        returned = await client.post(f"{place}/decisions", json=back, headers=leader)
        assert (returned.status_code, returned.json()["status"]) == (200, "returned"), returned.text
        assert (await client.get(place, headers=owner)).json()["because"] == "改到十二月"
        corrected = {"plannedFor": "2026-12-08T02:00:00Z"}
        foreign = await client.post(f"{place}/resubmission", json=corrected, headers=leader)
        assert (foreign.status_code, foreign.json()["type"]) == (403, "/problems/approval-not-your-request")
        again = await client.post(f"{place}/resubmission", json=corrected, headers=owner)
        assert (again.json()["status"], again.json()["cycle"], again.json()["purpose"]) == ("proposed", 2, "年度回访")
        statuses = [
            (await client.post(f"{place}/decisions", json=yes, headers=one)).status_code
            for one in (owner, stranger, leader, leader)
        ]
        assert statuses == [403, 403, 200, 409]
        done = await client.post(f"{place}/completion", json={"outcome": "met"}, headers=owner)
        assert (done.status_code, done.json()["status"]) == (200, "done")
        other = f"/v1/visits/{(await client.post('/v1/visits', json=planned, headers=owner)).json()['visitId']}"
        gone = await client.post(f"{other}/cancellation", json={"reason": "客户出差"}, headers=owner)
        assert (gone.status_code, gone.json()["status"]) == (200, "cancelled")
        late = await client.post(f"{other}/decisions", json={**yes, "cycle": 1}, headers=leader)
        assert (late.status_code, late.json()["type"]) == (409, "/problems/visit-not-open")
        seen = [
            len((await client.get("/v1/visits", headers=one)).json())
            for one in (owner, leader, stranger, issuer.bearer("u-9", "auditor"))
        ]
        assert seen == [2, 2, 0, 2]
