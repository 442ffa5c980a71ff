"""Whatever happens between a customer and us, over whichever channel and service, stands in one timeline, unchanged."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.customer.main import build
from services.feedback.main import build as build_feedback
from services.survey.main import build as build_survey
from tests.support.eventually import eventually
from tests.support.limits import GIFTS, limits
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
CLOUD = {"content-type": "application/cloudevents+json"}
NOW = datetime.now(UTC)
YES = {"decision": "approve", "step": 0}


@pytest.fixture
async def three(stack: RealStack, namespace: Namespace, tmp_path: Path) -> AsyncIterator[dict[str, Running]]:
    policy = limits(tmp_path, GIFTS)
    async with AsyncExitStack() as started:
        yield {
            name: await started.enter_async_context(
                running(service, settings_for(stack, namespace, tmp_path, **policy))
            )
            for name, service in (("customer", build), ("survey", build_survey), ("feedback", build_feedback))
        }


async def done(service: Running, path: str, body: object, person: str = "staff-1") -> dict[str, Any]:
    answer = await service.client.post(path, json=body, headers={"X-Manyi-Person": person})
    assert answer.is_success, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def handed_in(service: Running, wire: str, hours_ago: float, data: dict[str, Any]) -> None:
    """What a system of ours tells, of an earlier moment."""
    at = (NOW - timedelta(hours=hours_ago)).isoformat()
    event = {"specversion": "1.0", "id": f"{wire}{hours_ago}", "source": "shop", "type": wire, "time": at, "data": data}
    answer = await service.client.post("/v1/intake", json=event, headers=CLOUD)
    assert [one["outcome"] for one in answer.json()["receipts"]] == ["accepted"], answer.text


async def timeline(customer: Running, customer_id: str, **query: str) -> list[dict[str, Any]]:
    place = f"/v1/customers/{customer_id}/timeline"
    found = (await customer.client.get(place, params={"limit": "200", **query})).json()
    told: list[dict[str, Any]] = found["happened"]
    return told


@pytest.mark.policy("S0-01", "S2-12")
async def test_every_touchpoint_of_every_channel_and_service_is_told_in_one_timeline(three: dict[str, Running]) -> None:
    customer, survey, feedback = three["customer"], three["survey"], three["feedback"]
    registered = {"customer": "k", "name": "王芳", "company": "华东精密", "lawful_basis": "contract", "grade": "A"}
    await handed_in(customer, "customer.registered", 48, registered)
    who = {"source": "shop", "id": "k"}
    customer_id = (await customer.client.get("/v1/customers/by-external-id", params=who)).json()["customerId"]
    path = f"/v1/customers/{customer_id}"

    order = {"customer": "k", "order": "o1", "amount": 1_000, "currency": "CNY"}
    await handed_in(customer, "order.placed", 47, order)
    contract = {"customer": "k", "contract": "c1", "monthlyAmount": 100, "currency": "CNY"}
    await handed_in(customer, "contract.signed", 46, contract)
    for number, channel in enumerate(("online_chat", "social_media", "email")):
        talk = {"customer": "k", "interaction": f"i{number}", "kind": "message", "channel": channel}
        await handed_in(customer, "interaction.logged", 40 - number, talk)
    await done(customer, f"{path}/interactions", {"kind": "call", "channel": "phone", "note": "问交期"})
    came = {"customerId": customer_id, "kind": "reception", "outcome": "toured", "needs": ["training"], "keyFacts": "x"}
    await done(customer, "/v1/visits/unplanned", came)
    gift = await done(customer, "/v1/gifts", {"customerIds": [customer_id], "amount": 1_000})
    await done(customer, f"/v1/gifts/{gift['requestId']}/decisions", YES, "staff-2")
    await done(customer, f"/v1/gifts/{gift['requestId']}/handovers", {"customerId": customer_id})
    salon = {"kind": "salon", "title": "沙龙", "startsAt": (NOW - timedelta(hours=1)).isoformat()}
    event = await done(customer, "/v1/company-events", salon)
    guest = await done(customer, f"{path}/invitations", {"eventId": event["eventId"]})
    await done(customer, f"{path}/invitations/{guest['invitationId']}/attendance", {"attended": True})
    await done(customer, f"{path}/commitments", {"promise": "寄证书", "within": {"amount": 3, "unit": "working_days"}})
    answers = [{"question": "q", "metric": "csat", "scale": [1, 5], "value": 2}]
    await done(survey, "/v1/responses", {"customerId": customer_id, "answers": answers, "mode": "phone"})
    for kind, channel in (("complaint", "hotline"), ("suggestion", "web")):
        await done(feedback, "/v1/cases", {"kind": kind, "customerId": customer_id, "channel": channel, "text": "x"})

    touched = {
        "customer.created", "customer.purchase.recorded", "customer.contract.signed", "customer.interaction.logged",
        "visit.completed", "request.submitted", "request.gift.handedover", "customer.invited",
        "customer.invitation.attended", "customer.commitment.made", "survey.responded", "complaint.opened",
        "suggestion.opened",
    }  # fmt: skip

    async def told() -> list[dict[str, Any]] | None:
        found = await timeline(customer, customer_id)
        return found if touched <= {one["type"][len("manyi.") : -len(".v1")] for one in found} else None

    found = await eventually(told, timeout=60)
    by_policy = touched & {
        "customer.created", "visit.completed", "request.submitted", "customer.invited", "customer.commitment.made",
    } | {"companyevent.planned", "request.decided"}  # fmt: skip
    async for record in customer.service.database["journal"].find():
        event = json.loads(record["event"])
        if event["type"][len("manyi.") : -len(".v1")] in by_policy:
            assert "/" in event["policyversion"], "the version that decided is written into the event"
            by_policy.discard(event["type"][len("manyi.") : -len(".v1")])
    assert not by_policy
    assert {one["service"] for one in found} == {"customer", "survey", "feedback"}
    channels = {"online_chat", "social_media", "email", "phone", "event", "hotline", "web"}
    assert channels <= {one["channel"] for one in found if "channel" in one}
    assert [one["at"] for one in found] == sorted((one["at"] for one in found), reverse=True)
    by_phone = {one["type"] for one in await timeline(customer, customer_id, channel="phone")}
    assert by_phone == {"manyi.customer.interaction.logged.v1", "manyi.survey.responded.v1"}


@pytest.mark.policy("S1-02", "S3-14")
async def test_what_is_known_needed_and_spoken_is_kept_as_it_was_told_and_when(three: dict[str, Running]) -> None:
    customer = three["customer"]
    registered = {"customer": "k", "name": "王芳", "needs": "点胶机", "region": "华东", "lawful_basis": "contract"}
    await handed_in(customer, "customer.registered", 48, registered)
    await handed_in(customer, "customer.changed", 10, {"customer": "k", "needs": "校准"})
    between = datetime.now(UTC).isoformat()
    # What was said earlier and arrives later does not win over what was said since.
    await handed_in(customer, "customer.changed", 30, {"customer": "k", "needs": "维修", "region": "华北"})
    who = {"source": "shop", "id": "k"}
    file = (await customer.client.get("/v1/customers/by-external-id", params=who)).json()
    assert (file["needs"], file["region"]) == ("校准", "华北")
    path = f"/v1/customers/{file['customerId']}"
    for hours, words in ((5, "要资料"), (20, "谈了价格")):
        talk = {"customer": "k", "interaction": words, "kind": "call", "needs": ["price"], "note": words}
        await handed_in(customer, "interaction.logged", hours, talk)
    mistaken = await customer.client.post(f"{path}/interactions", json={"kind": "seance"})
    assert (mistaken.status_code, mistaken.json()["type"]) == (422, "/problems/interaction-kind-unknown")

    talks = (await customer.client.get(f"{path}/interactions")).json()
    assert [(one["note"], one["needs"]) for one in talks] == [("要资料", ["price"]), ("谈了价格", ["price"])]
    found = await timeline(customer, file["customerId"])
    changes = [one for one in found if one["type"] == "manyi.customer.updated.v1"]
    assert [one["data"]["changed"] for one in changes] == [["needs"], ["region"]], "each change, when it was said"
    assert [one["revision"] for one in sorted(found, key=lambda one: one["revision"])] == list(
        range(1, len(found) + 1)
    ), "nothing is missing between the first and the last"
    before = (await customer.client.get(path, params={"as_of": between})).json()
    assert (before["needs"], before["region"]) == ("校准", "华东")
