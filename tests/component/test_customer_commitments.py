"""Promises, and whom nobody has spoken with for too long: over HTTP, with the hands of the clock moved on."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.customer.desk import STORED, Desk
from services.customer.model.deadlines import Deadlines
from shared.plumbing.clock import ManualClock
from shared.plumbing.settings import Settings
from shared.plumbing.speaking import Speaking
from shared.plumbing.timers import Timekeeper
from tests.support.customers import wang
from tests.support.service import Running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
CLOUD = {"content-type": "application/cloudevents+json"}


@pytest.fixture
def settings(stack: RealStack, namespace: Namespace, tmp_path: Path) -> Settings:
    return settings_for(stack, namespace, tmp_path)


async def fire(settings: Settings, later: timedelta) -> list[str]:
    """What the timers tell when so much time has passed, as the journal has it."""
    speaking = Speaking("customer", settings)
    desk = Desk(speaking.identity, settings.read_policies(), settings.local_zone, speaking.clock)
    speaking.ledger.clock = ManualClock(speaking.clock.now() + later)
    tell = Deadlines(desk.policies, desk.zone).tell
    timekeeper = Timekeeper(speaking.ledger, STORED, tell, "test")
    await timekeeper.step()
    journal = await speaking.ledger.database["journal"].find({"type": {"$regex": "commitment"}}).sort("_id").to_list()
    await speaking.client.close()
    return [one["type"].split(".")[3] for one in journal]


@pytest.mark.policy("S3-23")
async def test_a_promise_is_made_told_of_and_kept(customer: Running, settings: Settings) -> None:
    opened = (await customer.client.post("/v1/customers", json=wang(ownerId="u-1"))).json()
    place = f"/v1/customers/{opened['customerId']}/commitments"
    body = {"promise": "三日内寄出校准证书", "within": {"amount": 3, "unit": "working_days"}, "responsible": "u-1"}
    made = await customer.client.post(place, json=body, headers={"Idempotency-Key": "p"})
    again = await customer.client.post(place, json=body, headers={"Idempotency-Key": "p"})
    assert made.status_code == 201, made.text
    assert made.json() == again.json()
    assert (made.json()["status"], made.json()["overdue"]) == ("open", False)
    assert "个工作日" in made.json()["why"]["zh"]
    assert await fire(settings, timedelta(days=30)) == ["made", "missed", "missed", "missed"]
    assert (await fire(settings, timedelta(days=60))) == ["made", "missed", "missed", "missed"]

    listed = (await customer.client.get("/v1/commitments", params={"responsible": "u-1"})).json()
    assert [one["promise"] for one in listed["commitments"]] == ["三日内寄出校准证书"]
    assert (await customer.client.get("/v1/commitments", params={"status": "overdue"})).json() == {"commitments": []}
    mine = f"{place}/{made.json()['commitmentId']}/outcome"
    wrong = await customer.client.post(mine, json={"outcome": "broken"})
    assert wrong.status_code == 422
    kept = await customer.client.post(mine, json={"outcome": "kept", "note": "已寄"})
    assert (kept.json()["status"], kept.json()["late"], kept.json()["note"]) == ("kept", False, "已寄")
    refused = await customer.client.post(mine, json={"outcome": "kept"})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/commitment-settled")
    rate = (await customer.client.get("/v1/commitments/kept-rate")).json()
    assert rate == {"open": 0, "overdue": 0, "keptInTime": 1, "keptLate": 0, "broken": 0, "n": 1, "rate": 1.0}
    assert [one["status"] for one in (await customer.client.get(place)).json()] == ["kept"]


@pytest.mark.policy("S3-23")
async def test_promises_are_listed_page_by_page(customer: Running) -> None:
    opened = (await customer.client.post("/v1/customers", json=wang())).json()
    for days in (5, 3, 4):
        body = {"promise": f"{days}", "within": {"amount": days, "unit": "working_days"}}
        await customer.client.post(f"/v1/customers/{opened['customerId']}/commitments", json=body)
    first = (await customer.client.get("/v1/commitments", params={"limit": 2})).json()
    rest = (await customer.client.get("/v1/commitments", params={"limit": 2, "after": first["next"]})).json()
    assert [one["promise"] for one in first["commitments"] + rest["commitments"]] == ["3", "4", "5"]
    assert "next" not in rest
    wrong = await customer.client.get("/v1/commitments", params={"after": "nowhere"})
    assert (wrong.status_code, wrong.json()["type"]) == (422, "/problems/page-unknown")


async def known_for(customer: Running, who: str, days: int, grade: str) -> str:
    at = datetime.now(UTC) - timedelta(days=days)
    told = {"specversion": "1.0", "id": f"r-{who}", "source": "shop", "type": "customer.registered"}
    data = {"customer": who, "company": f"公司{who}", "grade": grade}
    answer = await customer.client.post(
        "/v1/intake", json={**told, "time": at.isoformat(), "data": data}, headers=CLOUD
    )
    assert answer.json()["receipts"][0]["outcome"] == "accepted", answer.text
    found = await customer.client.get("/v1/customers/by-external-id", params={"source": "shop", "id": who})
    return str(found.json()["customerId"])


@pytest.mark.policy("S1-17", "S3-24")
async def test_who_was_not_spoken_with_for_too_long_is_listed(customer: Running) -> None:
    silent = [await known_for(customer, f"a{days}", days, "A") for days in (60, 70, 80)]
    recent = await known_for(customer, "a1", 1, "A")
    patient = await known_for(customer, "d60", 60, "D")
    first = (await customer.client.get("/v1/overdue-contacts", params={"limit": 2})).json()
    rest = (await customer.client.get("/v1/overdue-contacts", params={"limit": 2, "after": first["next"]})).json()
    assert [one["customerId"] for one in first["customers"] + rest["customers"]] == list(reversed(silent))
    assert (await customer.client.get("/v1/overdue-contacts", params={"grade": "D"})).json() == {"customers": []}

    talk = {"kind": "call", "channel": "phone", "needs": ["training"]}
    assert (await customer.client.post(f"/v1/customers/{silent[0]}/interactions", json=talk)).status_code == 201
    listed = (await customer.client.get("/v1/overdue-contacts")).json()["customers"]
    assert [one["customerId"] for one in listed] == [silent[2], silent[1]]
    now = (await customer.client.get(f"/v1/customers/{silent[0]}/next-contact")).json()
    assert (now["overdue"], now["topics"]) == (False, ["training"])
    then = (await customer.client.get(f"/v1/customers/{silent[1]}/next-contact")).json()
    assert then["overdue"] is True
    assert "30 calendar days from" in then["why"]["en"]
    for one in (recent, patient):
        assert (await customer.client.get(f"/v1/customers/{one}/next-contact")).json()["overdue"] is False
