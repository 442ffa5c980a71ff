"""A person says no, and from then on nothing is sent: no survey, no greeting, no invitation; over two real services."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.customer.main import build
from services.customer.model.yearly import YearlyDay
from services.survey.main import build as build_survey
from tests.support.customers import merged, wang
from tests.support.eventually import eventually
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
SCALE = {"question": "q", "kind": "csat", "scale": [1, 5]}


@pytest.fixture
async def both(stack: RealStack, namespace: Namespace, tmp_path: Path) -> AsyncIterator[tuple[Running, Running]]:
    async with AsyncExitStack() as started:
        customer, survey = [
            await started.enter_async_context(running(service, settings_for(stack, namespace, tmp_path)))
            for service in (build, build_survey)
        ]
        yield customer, survey


async def told(service: Running, path: str, body: dict[str, Any], status: int = 201) -> dict[str, Any]:
    answer = await service.client.post(path, json=body)
    assert answer.status_code == status, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def opened(customer: Running, number: int) -> str:
    body = wang(name=f"客户{number}", company=f"公司{number}", phone=f"1380000000{number}")
    return str((await told(customer, "/v1/customers", body))["customerId"])


@pytest.mark.policy("S2-02", "S1-04")
async def test_who_withdraws_is_not_asked_any_more_and_who_is_forgotten_neither(both: tuple[Running, Running]) -> None:
    customer, survey = both
    first, second = [await opened(customer, number) for number in (1, 2)]
    contact = (await told(customer, f"/v1/customers/{first}/contacts", {"name": "李敏"}))["contactId"]
    await told(survey, "/v1/questionnaires", {"code": "care", "questions": [SCALE]})
    campaigns = [
        (await told(survey, "/v1/campaigns", {"code": code, "questionnaire": "care"}))["campaignId"]
        for code in ("spring", "autumn")
    ]
    place = f"/v1/campaigns/{campaigns[0]}/invitations"
    people = ({"customerId": first}, {"customerId": first, "contactId": contact}, {"customerId": second})
    invited = [await told(survey, place, who) for who in people]
    assert [one["status"] for one in invited] == ["planned"] * 3
    assert (await told(survey, place, people[0]))["invitationId"] == invited[0]["invitationId"], "once"

    await told(customer, f"/v1/customers/{first}/consents/withdrawals", {"contactId": contact}, 200)
    await told(customer, f"/v1/customers/{second}/erasure", {}, 200)

    async def left() -> bool:
        page = (await survey.client.get(place)).json()["invitations"]
        reasons = {one["personId"]: one.get("reason") for one in page}
        return reasons == {first: None, contact: "withdrawn", second: "erased"}

    await eventually(left, timeout=60)
    planned = (await survey.client.get(place, params={"status": "planned"})).json()["invitations"]
    assert [one["personId"] for one in planned] == [first]
    later = f"/v1/campaigns/{campaigns[1]}/invitations"
    asked = [await told(survey, later, who) for who in people]
    assert [(one["status"], one.get("reason")) for one in asked] == [
        ("planned", None),
        ("suppressed", "withdrawn"),
        ("suppressed", "erased"),
    ]

    again = {"contactId": contact, "purposes": ["survey"], "textVersion": "n1", "evidence": "签字"}
    await told(customer, f"/v1/customers/{first}/consents", again)

    async def back() -> bool:
        return bool((await told(survey, later, people[1]))["status"] == "planned")

    await eventually(back, timeout=60)
    await told(survey, f"/v1/campaigns/{campaigns[1]}/close", {}, 200)
    assert (await survey.client.post(later, json=people[0])).json()["type"] == "/problems/campaign-already-closed"


@pytest.mark.policy("S2-02", "S0-34")
async def test_of_two_files_that_are_one_the_survivor_is_asked_by_its_own_word(both: tuple[Running, Running]) -> None:
    customer, survey = both
    survivor, other = [await opened(customer, number) for number in (1, 2)]
    await told(survey, "/v1/questionnaires", {"code": "care", "questions": [SCALE]})
    campaign = await told(survey, "/v1/campaigns", {"code": "spring", "questionnaire": "care"})
    place = f"/v1/campaigns/{campaign['campaignId']}/invitations"
    assert (await told(survey, place, {"customerId": other}))["status"] == "planned"

    async def asked() -> tuple[str, str | None]:
        """Who is asked when the other one is invited, and why not."""
        invited = await told(survey, place, {"customerId": other})
        return invited["personId"], invited.get("reason")

    await merged(customer, survivor, other)

    async def ended() -> bool:
        invited = (await survey.client.get(place)).json()["invitations"]
        return [one.get("reason") for one in invited] == ["merged"]

    await eventually(ended, timeout=60)
    assert await asked() == (survivor, None)
    await told(customer, f"/v1/customers/{survivor}/consents/withdrawals", {}, 200)

    async def silent() -> bool:
        return await asked() == (survivor, "withdrawn")

    await eventually(silent, timeout=60)
    await told(customer, f"/v1/customers/{other}/unmerge", {"reason": "不是"}, 200)

    async def parted() -> bool:
        return await asked() == (other, None)

    await eventually(parted, timeout=60)


@pytest.mark.policy("S2-02", "S1-18", "S1-19", "S2-06")
async def test_who_said_no_is_neither_greeted_nor_invited_but_may_be_left_out(both: tuple[Running, Running]) -> None:
    customer, _ = both
    first, second = [await opened(customer, number) for number in (1, 2)]
    today = datetime.now(customer.service.settings.local_zone).date()
    day = {"occasion": "company_founding", "day": YearlyDay(month=today.month, day=today.day).model_dump()}
    days = [(await told(customer, f"/v1/customers/{who}/care-days", day))["careId"] for who in (first, second)]
    event = {"kind": "salon", "title": "沙龙", "startsAt": (datetime.now(UTC) + timedelta(days=9)).isoformat()}
    event_id = (await told(customer, "/v1/company-events", event))["eventId"]
    await told(customer, f"/v1/customers/{first}/consents/withdrawals", {"purposes": ["greeting"]}, 200)

    tasks = (await customer.client.get("/v1/care/tasks")).json()
    assert [one["customerId"] for one in tasks] == [second]
    wish = {"careId": days[0], "on": today.isoformat(), "outcome": "greeted"}
    refused = await told(customer, f"/v1/customers/{first}/greetings", wish, 409)
    assert refused["type"] == "/problems/sending-not-permitted"
    left_out = await told(customer, f"/v1/customers/{first}/greetings", {**wish, "outcome": "skipped"})
    assert left_out["outcome"] == "skipped"
    refused = await told(customer, f"/v1/customers/{first}/invitations", {"eventId": event_id}, 409)
    assert refused["type"] == "/problems/sending-not-permitted"

    rule = {"field": "kind", "in": ["direct"]}
    segment = (await told(customer, "/v1/segments", {"name": "直接客户", "rule": rule}))["segmentId"]
    for _ in range(2):
        asked = await told(customer, f"/v1/company-events/{event_id}/segment-invitations", {"segmentId": segment}, 200)
        assert asked == {"members": 2, "invited": 1, "unwilling": 1}
    guests = (await customer.client.get(f"/v1/company-events/{event_id}/guests")).json()["guests"]
    assert [one["customerId"] for one in guests] == [second]
