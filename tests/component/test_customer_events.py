"""Company events with their guests, and opportunities until they are won or lost, over HTTP."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.customer.main import build
from tests.support.customers import wang
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack


@pytest.fixture
async def customer(stack: RealStack, namespace: Namespace, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(build, settings_for(stack, namespace, tmp_path)) as service:
        yield service


async def told(customer: Running, place: str, body: dict[str, Any], status: int = 200) -> Any:
    answer = await customer.client.post(place, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.mark.policy("S1-18", "S3-26")
async def test_customers_are_invited_answer_and_come(customer: Running) -> None:
    opened = await told(customer, "/v1/customers", wang(), 201)
    place = f"/v1/customers/{opened['customerId']}"
    person = await told(customer, f"{place}/contacts", {"name": "李敏"}, 201)
    began = datetime.now(UTC) - timedelta(hours=1)
    event = {"kind": "salon", "title": "精密测量沙龙", "place": "苏州", "startsAt": began.isoformat()}
    planned = await told(customer, "/v1/company-events", event, 201)
    mine = {"eventId": planned["eventId"]}
    invited = await told(customer, f"{place}/invitations", mine, 201)
    assert await told(customer, f"{place}/invitations", mine, 201) == invited, "once"
    other = await told(customer, f"{place}/invitations", {**mine, "contactId": person["contactId"]}, 201)

    here = f"{place}/invitations/{invited['invitationId']}"
    assert (await told(customer, f"{here}/answer", {"answer": "accepted"}))["status"] == "accepted"
    assert (await told(customer, f"{here}/attendance", {"attended": True}))["status"] == "attended"
    refused = await told(customer, f"{here}/answer", {"answer": "declined"}, 409)
    assert refused["type"] == "/problems/attendance-recorded"
    talks = (await customer.client.get(f"{place}/interactions")).json()
    assert [(one["kind"], one["channel"]) for one in talks] == [("event", "event")]

    shown = (await customer.client.get(f"/v1/company-events/{planned['eventId']}")).json()
    assert (shown["title"], shown["guests"]) == ("精密测量沙龙", {"attended": 1, "invited": 1})
    guests = (await customer.client.get(f"/v1/company-events/{planned['eventId']}/guests")).json()["guests"]
    assert {one["invitationId"] for one in guests} == {invited["invitationId"], other["invitationId"]}

    await told(customer, f"/v1/company-events/{planned['eventId']}/cancel", {"reason": "venue"})
    off = await told(customer, f"{place}/invitations", mine, 409)
    assert off["type"] == "/problems/company-event-cancelled"
    assert (await customer.client.get("/v1/company-events")).json()["events"][0]["status"] == "cancelled"
    wrong = await told(customer, "/v1/company-events", {**event, "kind": "party"}, 422)
    assert wrong["type"] == "/problems/company-event-kind-unknown"


@pytest.mark.policy("S2-05")
async def test_opportunities_are_followed_until_they_are_won_or_lost(customer: Running) -> None:
    opened = await told(customer, "/v1/customers", wang(), 201)
    place = f"/v1/customers/{opened['customerId']}/opportunities"
    body = {"title": "测量机更新", "stage": "identified", "amount": 1_280_000, "expectedClose": "2027-01-31"}
    ids = [(await told(customer, place, body, 201))["opportunityId"] for _ in range(3)]
    moved = await told(customer, f"{place}/{ids[0]}/moves", {"stage": "proposed", "amount": 900_000})
    assert (moved["stage"], moved["amount"], moved["title"]) == ("proposed", 900_000, "测量机更新")
    await told(customer, f"{place}/{ids[1]}/outcome", {"outcome": "won", "reason": "quality"})
    await told(customer, f"{place}/{ids[2]}/outcome", {"outcome": "lost", "reason": "price", "note": "太贵"})
    again = await told(customer, f"{place}/{ids[2]}/outcome", {"outcome": "won", "reason": "quality"}, 409)
    assert again["type"] == "/problems/opportunity-closed"
    unknown = await told(customer, place, {**body, "stage": "won"}, 422)
    assert unknown["type"] == "/problems/opportunity-stage-unknown"

    page = (await customer.client.get("/v1/opportunities", params={"closesBy": "2027-12-31"})).json()
    assert [one["opportunityId"] for one in page["opportunities"]] == [ids[0]]
    assert (await customer.client.get("/v1/opportunities", params={"closesBy": "2026-12-31"})).json() == {
        "opportunities": []
    }
    funnel = (await customer.client.get("/v1/opportunities/funnel")).json()
    assert (funnel["won"], funnel["lost"], funnel["conversion"]) == (1, 1, 0.5)
    assert {"stage": "proposed", "currency": "CNY", "n": 1, "amount": 900_000} in funnel["stages"]
    assert len((await customer.client.get(place)).json()) == 3
