"""Files are assessed, queued, cleaned and verified over HTTP; tasks close when the file is corrected."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.customer.commands.clean_files import Cleanings
from services.customer.desk import Desk
from services.customer.model.deadlines import Deadlines
from shared.plumbing.settings import Settings
from shared.plumbing.speaking import Speaking
from tests.support.customers import wang
from tests.support.eventually import eventually
from tests.support.service import Running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
CLOUD = {"content-type": "application/cloudevents-batch+json"}


@pytest.fixture
def settings(stack: RealStack, namespace: Namespace, tmp_path: Path) -> Settings:
    return settings_for(stack, namespace, tmp_path)


async def told(customer: Running, *people: dict[str, Any]) -> None:
    """What another system registers is taken as it is, well written or not."""
    events = [
        {"specversion": "1.0", "id": one["customer"], "source": "crm", "type": "customer.registered", "data": one}
        for one in people
    ]
    answer = await customer.client.post("/v1/intake", json=events, headers=CLOUD)
    assert {one["outcome"] for one in answer.json()["receipts"]} == {"accepted"}, answer.text


async def listed(customer: Running, place: str, **params: Any) -> list[dict[str, Any]]:
    answer = await customer.client.get(place, params=params)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = next(value for value in answer.json().values() if isinstance(value, list))
    return found


@pytest.mark.policy("S1-06", "S2-20", "S3-25", "S1-02")
async def test_poor_files_are_queued_and_their_tasks_close_when_they_are_corrected(customer: Running) -> None:
    whole = wang(industry="仪器", size="50", ownerId="u-1")
    good = (await customer.client.post("/v1/customers", json=whole)).json()
    poor = {"company": "远大机械", "name": "李敏", "phone": "12", "needs": "x", "industry": "机械", "size": "10"}
    await told(
        customer,
        {"customer": "a", **poor, "lawful_basis": "contract", "owner_id": "u-2"},
        {"customer": "b", "company": "恒信食品"},
    )

    async def assessed() -> bool:
        stock = (await customer.client.get("/v1/quality")).json()
        return bool((stock["files"], stock["invalid"], stock["stale"]) == (3, 2, 0))

    await eventually(assessed, timeout=30)
    first = (await customer.client.get("/v1/quality/queues/invalid", params={"limit": 1})).json()
    second = (await customer.client.get("/v1/quality/queues/invalid", params={"after": first["next"]})).json()
    assert "malformed:phone" not in first["files"][0]["problems"]
    assert "missing:industry" in first["files"][0]["problems"]
    assert [one["problems"] for one in second["files"]] == [["malformed:phone"]]
    wrong = await customer.client.get("/v1/quality/queues/invalid", params={"after": "x"})
    assert (wrong.status_code, wrong.json()["type"]) == (422, "/problems/page-unknown")
    found = (await customer.client.get(f"/v1/customers/{good['customerId']}/quality")).json()
    assert (found["score"], found["problems"]) == (100, [])

    for asked in (2, 0):
        answer = await customer.client.post("/v1/cleanings/rounds", json={"queue": "invalid"})
        assert answer.json() == {"files": 2, "asked": asked}
    (task,) = await listed(customer, "/v1/cleanings", responsible="u-2")
    assert (task["problems"], task["role"], task["overdue"]) == (["malformed:phone"], "group_leader", False)
    assert "工作日" in task["why"]["zh"]
    mine = f"/v1/customers/{task['customerId']}"
    changed = await customer.client.post(f"{mine}/key-changes", json={"phone": "13900000001"})
    head = {"X-Manyi-Person": "leader"}
    decided = f"{mine}/key-changes/{changed.json()['requestId']}/decisions"
    approved = await customer.client.post(decided, json={"decision": "approve", "step": 0}, headers=head)
    assert approved.json()["status"] == "approved", approved.text

    async def closed() -> bool:
        done = await listed(customer, "/v1/cleanings", status="corrected")
        return [one["cleaningId"] for one in done] == [task["cleaningId"]]

    await eventually(closed, timeout=30)
    stock = (await customer.client.get("/v1/quality")).json()
    assert (stock["invalid"], stock["openCleanings"], stock["overdueCleanings"]) == (1, 1, 0)


@pytest.mark.policy("S1-06", "S3-25")
async def test_a_stale_file_is_verified_and_regular_rounds_come_by_themselves(
    customer: Running, settings: Settings
) -> None:
    old = (datetime.now(UTC) - timedelta(days=500)).isoformat()
    opened = (await customer.client.post("/v1/customers", json=wang(contactAt=old, industry="x", size="y"))).json()

    async def queued() -> bool:
        return [one["customerId"] for one in await listed(customer, "/v1/quality/queues/stale")] == [
            opened["customerId"]
        ]

    await eventually(queued, timeout=30)
    speaking = Speaking("customer", settings)
    desk = Desk(speaking.identity, settings.read_policies(), settings.local_zone, speaking.clock)
    cleanings = Cleanings(speaking.ledger, desk, Deadlines(desk.policies, desk.zone))
    await cleanings.prepare()
    assert await cleanings.step() == 0
    began = {"at": speaking.clock.now() - timedelta(days=100)}
    await speaking.ledger.database["marks"].update_one({"_id": "cleaning rounds"}, {"$set": began})
    assert await cleanings.step() == 1
    assert await cleanings.step() == 0
    await speaking.client.close()
    (task,) = await listed(customer, "/v1/cleanings")
    assert task["problems"] == ["stale"]
    verified = await customer.client.post(f"/v1/customers/{opened['customerId']}/verification")
    assert verified.status_code == 200, verified.text

    async def closed() -> bool:
        return (
            await listed(customer, "/v1/cleanings") == [] and await listed(customer, "/v1/quality/queues/stale") == []
        )

    await eventually(closed, timeout=30)


@pytest.mark.policy("S1-05")
async def test_what_is_entered_late_is_counted(customer: Running) -> None:
    now = datetime.now(UTC)
    opened = (await customer.client.post("/v1/customers", json=wang())).json()
    place = f"/v1/customers/{opened['customerId']}/interactions"
    for days in (0, 30):
        at = (now - timedelta(days=days)).isoformat()
        assert (await customer.client.post(place, json={"kind": "visit", "at": at})).status_code == 201
    period = {"from": str((now - timedelta(days=3)).date()), "to": str((now + timedelta(days=3)).date())}
    entered = (await customer.client.get("/v1/quality/entry", params=period)).json()
    assert entered == {"n": 3, "inTime": 2, "late": 1, "share": 2 / 3, "within": "1 working_days"}
    ahead = await customer.client.post("/v1/customers", json=wang(contactAt=(now + timedelta(days=1)).isoformat()))
    assert (ahead.status_code, ahead.json()["type"]) == (422, "/problems/contact-ahead")
