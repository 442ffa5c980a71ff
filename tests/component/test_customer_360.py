"""One customer from all sides: what three services tell, as one timeline and as one view."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from services.customer.main import build
from services.feedback.main import build as build_feedback
from services.survey.main import build as build_survey
from tests.support.customers import merged, wang
from tests.support.eventually import eventually
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
Three = tuple[Running, Running, Running]
CLOUD = {"content-type": "application/cloudevents+json"}


@pytest.fixture
async def three(stack: RealStack, namespace: Namespace, tmp_path: Path) -> AsyncIterator[Three]:
    async with AsyncExitStack() as started:
        customer, survey, feedback = [
            await started.enter_async_context(running(service, settings_for(stack, namespace, tmp_path)))
            for service in (build, build_survey, build_feedback)
        ]
        yield customer, survey, feedback


async def answered(survey: Running, customer_id: str, nps: int) -> str:
    answer = {"question": "q", "metric": "nps", "scale": [0, 10], "value": nps}
    told = await survey.client.post("/v1/responses", json={"customerId": customer_id, "answers": [answer]})
    assert told.status_code == 201, told.text
    return str(told.json()["responseId"])


@pytest.mark.policy("S0-01", "S2-12", "S2-13", "S2-15")
async def test_one_timeline_and_one_view_of_what_three_services_tell(three: Three) -> None:
    customer, survey, feedback = three
    opening = wang(preferences="周二下午致电")
    customer_id = (await customer.client.post("/v1/customers", json=opening)).json()["customerId"]
    path = f"/v1/customers/{customer_id}"
    await customer.client.post(f"{path}/contacts", json={"name": "李敏", "phone": "13900139000"})
    spoken = await customer.client.post(
        f"{path}/interactions", json={"kind": "visit", "channel": "phone", "note": "好"}
    )
    assert spoken.status_code == 201, spoken.text
    promised = {"promise": "寄证书", "within": {"amount": 3, "unit": "working_days"}, "responsible": "u-1"}
    promise = await customer.client.post(f"{path}/commitments", json=promised)
    assert promise.status_code == 201, promise.text
    planned = {"customerId": customer_id, "kind": "visit", "plannedFor": "2030-03-01T09:00:00+08:00", "purpose": "回访"}
    visit = await customer.client.post("/v1/visits", json=planned)
    assert visit.status_code == 201, visit.text
    first, last = await answered(survey, customer_id, 9), await answered(survey, customer_id, 6)
    case_ids = []
    for kind in ("complaint", "inquiry"):
        opened = await feedback.client.post("/v1/cases", json={"kind": kind, "customerId": customer_id, "text": "坏了"})
        case_ids.append(opened.json()["caseId"])
    await feedback.client.post("/v1/cases", json={"kind": "praise", "text": "谢谢"})
    for step, body in (
        ("acknowledge", {}),
        ("assign", {"assignee": "u-1"}),
        ("resolve", {"solution": "换新", "customerNotified": True}),
    ):
        done = await feedback.client.post(f"/v1/cases/{case_ids[1]}/{step}", json=body)
        assert done.status_code in (200, 201), done.text

    async def seen() -> dict[str, Any] | None:
        view: dict[str, Any] = (await customer.client.get(f"{path}/360")).json()
        statuses = [one["status"] for one in view["cases"]["over"]]
        complete = len(view["satisfaction"]) == 2 and len(view["cases"]["open"]) == 1 and statuses == ["resolved"]
        return view if complete else None

    view = await eventually(seen)
    file = view["file"]
    assert (file["name"], file["needs"], file["preferences"]) == ("王芳", "校准服务", "周二下午致电")
    assert [one["name"] for one in view["contacts"]] == ["李敏"]
    assert view["interactions"][0]["note"] == "好"
    assert [(one["taskId"], one["kind"]) for one in view["tasks"]] == [(promise.json()["commitmentId"], "commitment")]
    assert [(one["visitId"], one["purpose"]) for one in view["visits"]] == [(visit.json()["visitId"], "回访")]
    assert [(one["responseId"], one["nps"]) for one in view["satisfaction"]] == [(last, 6), (first, 9)]
    assert view["satisfaction"][0]["answers"][0]["value"] == 6
    (complaint,) = view["cases"]["open"]
    assert (complaint["caseId"], complaint["kind"], complaint["breached"]) == (case_ids[0], "complaint", False)
    signs = {one["code"]: one["about"] for one in view["risk"]["reasons"]}
    assert signs["open_complaint"] == [f"{case_ids[0]}:1"]
    assert signs["detractor"] == [f"{last}:1"]
    assert view["risk"]["points"] == sum(one["points"] for one in view["risk"]["reasons"])

    told = (await customer.client.get(f"{path}/timeline")).json()["happened"]
    types = [one["type"].removeprefix("manyi.").removesuffix(".v1") for one in told]
    assert types[-1] == "customer.created"
    assert {"survey.responded", "complaint.opened", "case.resolved", "customer.interaction.logged"} <= set(types)
    assert "praise.opened" not in types
    assert [one["at"] for one in told] == sorted((one["at"] for one in told), reverse=True)
    assert [one["note"] for one in told if "note" in one] == ["好"]
    of_feedback = (await customer.client.get(f"{path}/timeline", params={"service": "feedback"})).json()["happened"]
    assert {one["service"] for one in of_feedback} == {"feedback"}
    by_phone = (await customer.client.get(f"{path}/timeline", params={"channel": "phone"})).json()["happened"]
    assert [one["type"] for one in by_phone] == ["manyi.customer.interaction.logged.v1"]

    paged: list[dict[str, Any]] = []
    page: dict[str, Any] = {"next": None}
    while "next" in page:
        more = {} if page["next"] is None else {"after": page["next"]}
        page = (await customer.client.get(f"{path}/timeline", params={"limit": 3, **more})).json()
        paged += page["happened"]
    assert paged == told
    wrong = await customer.client.get(f"{path}/timeline", params={"after": "yesterday"})
    assert (wrong.status_code, wrong.json()["type"]) == (422, "/problems/page-unknown")


@pytest.mark.policy("S2-15", "S1-17")
async def test_the_view_tells_what_was_agreed_to_hoped_for_and_who_waits_to_hear_from_us(three: Three) -> None:
    customer, _, _ = three
    told = {"specversion": "1.0", "id": "a", "source": "shop", "time": "2026-01-05T10:00:00Z"}
    data = {"customer": "a", "company": "a公司", "lawful_basis": "contract", "grade": "A"}
    event = {**told, "type": "customer.registered", "data": data}
    sent = await customer.client.post("/v1/intake", json=event, headers=CLOUD)
    assert sent.json()["receipts"][0]["outcome"] == "accepted"
    found = await customer.client.get("/v1/customers/by-external-id", params={"source": "shop", "id": "a"})
    path = f"/v1/customers/{found.json()['customerId']}"
    agreed = {"purposes": ["survey"], "textVersion": "n-1", "evidence": "签字"}
    assert (await customer.client.post(f"{path}/consents", json=agreed)).status_code == 201
    hoped = {"title": "换新", "stage": "identified", "amount": 100, "expectedClose": "2030-01-01"}
    assert (await customer.client.post(f"{path}/opportunities", json=hoped)).status_code == 201
    view = (await customer.client.get(f"{path}/360")).json()
    (consent,), (chance,) = view["consents"], view["opportunities"]
    assert (consent["purpose"], consent["status"], consent["textVersion"]) == ("survey", "given", "n-1")
    assert (chance["title"], chance["status"], chance["amount"]) == ("换新", "open", 100)
    assert [(one["code"], one["about"]) for one in view["risk"]["reasons"]] == [
        ("contact_overdue", [found.json()["customerId"]])
    ]
    talk = {"kind": "call", "note": "好"}
    assert (await customer.client.post(f"{path}/interactions", json=talk)).status_code == 201
    assert (await customer.client.get(f"{path}/360")).json()["risk"]["reasons"] == []


async def test_what_was_told_of_a_merged_file_is_told_of_the_survivor(three: Three) -> None:
    customer, survey, _ = three
    told = {"specversion": "1.0", "source": "shop", "time": "2026-03-01T10:00:00Z", "type": "customer.registered"}
    for name in ("a", "b"):
        data = {"customer": name, "company": f"{name}公司", "lawful_basis": "contract"}
        sent = await customer.client.post("/v1/intake", json={**told, "id": name, "data": data}, headers=CLOUD)
        assert sent.json()["receipts"][0]["outcome"] == "accepted"
    ids = []
    for name in ("a", "b"):
        found = await customer.client.get("/v1/customers/by-external-id", params={"source": "shop", "id": name})
        ids.append(found.json()["customerId"])
    response_id = await answered(survey, ids[1], 8)
    await merged(customer, ids[0], ids[1])

    async def seen() -> bool:
        view = (await customer.client.get(f"/v1/customers/{ids[0]}/360")).json()
        return [one["responseId"] for one in view["satisfaction"]] == [response_id]

    await eventually(seen)
    happened = (await customer.client.get(f"/v1/customers/{ids[0]}/timeline")).json()["happened"]
    assert response_id in [one["subject"] for one in happened]
    unknown = await customer.client.get("/v1/customers/nobody/360")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/customer-unknown")
