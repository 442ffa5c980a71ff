"""The care calendar over HTTP: birthdays that stay sealed, holidays, greetings given once, and a contact forgotten."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.customer.desk import Desk
from services.customer.model.yearly import HOLIDAYS, YearlyDay
from shared.plumbing.settings import Settings
from shared.plumbing.speaking import Speaking
from tests.support.customers import wang
from tests.support.service import Running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack


@pytest.fixture
def settings(stack: RealStack, namespace: Namespace, tmp_path: Path) -> Settings:
    return settings_for(stack, namespace, tmp_path)


async def written(settings: Settings) -> tuple[Desk, str]:
    """The desk, and all that lies open in the database."""
    speaking = Speaking("customer", settings)
    desk = Desk(speaking.identity, settings.read_policies(), settings.local_zone, speaking.clock)
    database = speaking.ledger.database
    collections = ("journal", "care_days", "greetings", "customers", "contacts")
    documents = [await database[name].find().to_list() for name in collections]
    await speaking.client.close()
    return desk, str(documents)


async def tasks(customer: Running, **query: Any) -> list[tuple[str, str, str]]:
    answer = await customer.client.get("/v1/care/tasks", params=query)
    assert answer.status_code == 200, answer.text
    return [(one["occasion"], one["on"], one["status"]) for one in answer.json()]


@pytest.mark.policy("S1-19")
async def test_a_birthday_comes_up_is_greeted_once_and_stays_sealed(customer: Running, settings: Settings) -> None:
    desk, _ = await written(settings)
    today = desk.today()
    opened = (await customer.client.post("/v1/customers", json=wang())).json()
    place = f"/v1/customers/{opened['customerId']}"
    person = (await customer.client.post(f"{place}/contacts", json={"name": "李敏"})).json()["contactId"]
    days = {name: today + timedelta(days=ahead) for name, ahead in (("soon", 3), ("today", 0), ("later", 20))}
    ids = {}
    for name, on in days.items():
        day = YearlyDay(month=on.month, day=on.day)
        body = {"occasion": "birthday", "day": day.model_dump(), "label": f"生日{name}", "contactId": person}
        noted = await customer.client.post(f"{place}/care-days", json=body)
        assert noted.status_code == 201, noted.text
        assert noted.json()["nextOn"] == on.isoformat()
        ids[name] = noted.json()["careId"]
    assert await tasks(customer) == [
        ("birthday", days["today"].isoformat(), "due"),
        ("birthday", days["soon"].isoformat(), "upcoming"),
    ], "care.ahead is seven days"

    _, found = await written(settings)
    for hidden in ("solar:", "生日", days["soon"].isoformat(), days["later"].isoformat()):
        assert hidden not in found

    body = {"careId": ids["today"], "on": today.isoformat(), "outcome": "greeted", "note": "电话祝贺"}
    assert (await customer.client.post(f"{place}/greetings", json=body)).status_code == 201
    again = await customer.client.post(f"{place}/greetings", json={**body, "outcome": "skipped"})
    assert (again.status_code, again.json()["type"]) == (409, "/problems/greeted-already")
    wrong = await customer.client.post(f"{place}/greetings", json={**body, "on": days["soon"].isoformat()})
    assert (wrong.status_code, wrong.json()["type"]) == (422, "/problems/care-day-not-then")
    assert (await customer.client.post(f"{place}/care-days/{ids['soon']}/drop")).status_code == 200
    assert [status for *_, status in await tasks(customer, days=31)] == ["greeted", "upcoming"]
    assert await tasks(customer, **{"from": str(today - timedelta(3)), "days": 3}) == []

    assert (await customer.client.post(f"{place}/contacts/{person}/erasure")).status_code == 200
    assert (await customer.client.get(f"{place}/care-days")).json() == []
    assert await tasks(customer, days=31) == []


@pytest.mark.policy("S1-19")
async def test_customers_of_high_grades_are_greeted_on_holidays_once(customer: Running, settings: Settings) -> None:
    desk, _ = await written(settings)
    on = HOLIDAYS["mid_autumn"].following(desk.today())
    ids = []
    for number, grade in enumerate("AAC"):
        body = wang(name=f"客户{number}", company=f"公司{number}", phone=f"1380000000{number}")
        opened = (await customer.client.post("/v1/customers", json=body)).json()
        await customer.client.post(f"/v1/customers/{opened['customerId']}/grade", json={"grade": grade, "reason": "x"})
        ids.append(opened["customerId"])
    waiting = f"/v1/care/holidays/mid_autumn/customers?year={on.year}"
    first = (await customer.client.get(f"{waiting}&limit=1")).json()
    rest = (await customer.client.get(f"{waiting}&limit=1&after={first['next']}")).json()
    assert [one["customerId"] for one in first["customers"] + rest["customers"]] == sorted(ids[:2])
    wish = {"holiday": "mid_autumn", "on": on.isoformat(), "outcome": "greeted"}
    assert (await customer.client.post(f"/v1/customers/{ids[0]}/greetings", json=wish)).status_code == 201
    assert [one["customerId"] for one in (await customer.client.get(waiting)).json()["customers"]] == [ids[1]]
    holidays = {one["holiday"]: one for one in (await customer.client.get("/v1/care/holidays")).json()}
    assert (holidays["mid_autumn"]["on"], holidays["mid_autumn"]["greeted"]) == (on.isoformat(), 1)
    assert list(holidays) == sorted(holidays, key=lambda name: holidays[name]["on"])
    unknown = {**wish, "holiday": "birthday"}
    refused = await customer.client.post(f"/v1/customers/{ids[1]}/greetings", json=unknown)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/occasion-unknown")
