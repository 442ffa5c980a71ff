"""Departments work on one customer, each within its own bounds: sales, technology, marketing; HR and finance."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.customers import wang
from tests.support.issuer import Issuer
from tests.support.service import Running

pytestmark = pytest.mark.stack
CLOUD = {"content-type": "application/cloudevents+json"}
YES = {"decision": "approve", "step": 0}


async def post(service: Running, path: str, body: object, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
    answer = await service.client.post(path, json=body, headers=headers)
    return answer.status_code, answer.json()


@pytest.mark.policy("S0-03")
async def test_sales_hands_base_data_in_technology_helps_by_a_grant_and_marketing_invites_without_seeing_the_person(
    customer: Running, issuer: Issuer
) -> None:
    director, hr = issuer.bearer("u-dir", "director"), issuer.bearer("u-hr", "hr")
    sales, engineer = issuer.bearer("u-sales", "specialist"), issuer.bearer("u-tech", "specialist")
    marketing, crm = issuer.bearer("u-mkt", "marketing"), issuer.bearer("crm", "system", topics=["customer-intake"])
    for person, unit in (("u-sales", "sales"), ("u-tech", "technology")):
        seated = await post(customer, f"/v1/staff/{person}/posts", {"role": "specialist", "unit": unit}, hr)
        assert seated[0] == 201, seated
    chart = (await customer.client.get("/v1/organisation", headers=marketing)).json()
    assert chart["sharing"]["product_problems"] == "technology"
    assert {one["unit"]: one["staffId"] for one in chart["holders"]} == {"sales": "u-sales", "technology": "u-tech"}

    known = {"customer": "k", "name": "王芳", "company": "华东精密", "phone": "13800138000", "owner_id": "u-sales"}
    told = {"specversion": "1.0", "id": "1", "source": "sales-crm", "type": "customer.registered", "data": known}
    taken = await customer.client.post("/v1/intake", json=told, headers={**crm, **CLOUD})
    assert [one["outcome"] for one in taken.json()["receipts"]] == ["accepted"], taken.text
    who = {"source": "sales-crm", "id": "k"}
    file = (await customer.client.get("/v1/customers/by-external-id", params=who, headers=sales)).json()
    assert (file["name"], file["ownerId"]) == ("王芳", "u-sales")
    path = f"/v1/customers/{file['customerId']}"

    problem = {"promise": "修复固件", "within": {"amount": 3, "unit": "working_days"}, "responsible": "u-tech"}
    status, promised = await post(customer, f"{path}/commitments", problem, sales)
    assert (status, promised["responsible"]) == (201, "u-tech"), promised
    assert (await customer.client.get(path, headers=engineer)).status_code == 403
    until = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    for action in ("customer.read", "customer.write"):
        terms = {"grantee": "u-tech", "action": action, "objectId": file["customerId"], "until": until}
        assert (await post(customer, "/v1/grants", {**terms, "reason": "product"}, director))[0] == 201
    tasks = await customer.client.get("/v1/commitments", params={"responsible": "u-tech"}, headers=engineer)
    assert [one["promise"] for one in tasks.json()["commitments"]] == ["修复固件"]
    helped = {"kind": "guidance", "channel": "phone", "note": "已升级到 2.1"}
    assert (await post(customer, f"{path}/interactions", helped, engineer))[0] == 201
    outcome = f"{path}/commitments/{promised['commitmentId']}/outcome"
    assert (await post(customer, outcome, {"outcome": "kept"}, engineer))[1]["status"] == "kept"
    (talk,) = (await customer.client.get(f"{path}/interactions", headers=sales)).json()
    assert (talk["kind"], talk["note"]) == ("guidance", "已升级到 2.1"), "sales sees what technology did"

    seen = (await customer.client.get(path, headers=marketing)).json()
    assert (seen["company"], "name" in seen, "phone" in seen) == ("华东精密", False, False)
    assert (await post(customer, "/v1/customers", wang(), marketing))[0] == 403
    salon = {"kind": "salon", "title": "沙龙", "startsAt": (datetime.now(UTC) + timedelta(days=9)).isoformat()}
    event = (await post(customer, "/v1/company-events", salon, marketing))[1]
    invited = await post(customer, f"{path}/invitations", {"eventId": event["eventId"]}, marketing)
    assert invited[0] == 201, invited
    lines = await customer.service.database["audit"].find({"objects": file["customerId"]}).to_list()
    assert ("u-tech", "denied") in [(one["actor"], one["decision"]) for one in lines]


@pytest.mark.policy("S0-15", "S0-31", "S0-32")
async def test_what_a_manager_buys_at_once_takes_finance_and_is_paid_by_finance_alone(
    customer: Running, issuer: Issuer
) -> None:
    manager = issuer.bearer("u-mgr", "manager")
    steps = {role: issuer.bearer(f"u-{role}", role) for role in ("dept_head", "finance", "ceo")}
    urgent = {"amount": 50_000, "requester": "u-1", "note": "停机备件"}
    refused = await post(customer, "/v1/procurements/emergencies", urgent, steps["finance"])
    assert (refused[0], refused[1]["type"]) == (403, "/problems/approval-no-emergency-path")
    status, acted = await post(customer, "/v1/procurements/emergencies", urgent, manager)
    assert (status, acted["status"], acted["waitingFor"]) == (201, "pending_ratification", "dept_head"), acted
    place = f"/v1/procurements/{acted['requestId']}"
    shown = (await customer.client.get(place, headers=manager)).json()
    assert "3 working days" in shown["why"]["en"], "every deadline explains its arithmetic"
    assert shown["why"]["zh"].count("\n") >= 2
    for number, (role, who) in enumerate(steps.items()):
        step = {**YES, "step": number}
        assert (await post(customer, f"{place}/decisions", step, manager))[0] == 403, f"the manager is not {role}"
        assert (await post(customer, f"{place}/decisions", step, issuer.bearer("u-hr", "hr")))[0] == 403
        status, told = await post(customer, f"{place}/decisions", step, who)
        assert status == 200, told
    assert told["status"] == "ratified"
    assert (await post(customer, f"{place}/settlement", {"spent": 48_000}, manager))[0] == 403
    status, settled = await post(customer, f"{place}/settlement", {"spent": 48_000}, steps["finance"])
    assert (status, settled["status"]) == (200, "settled"), settled


@pytest.mark.policy("S0-37", "S3-07")
async def test_whoever_grades_a_customer_without_reading_the_file_is_told_the_grade_alone(
    customer: Running, issuer: Issuer
) -> None:
    director, manager = issuer.bearer("u-dir", "director"), issuer.bearer("u-mgr", "manager")
    file = (await post(customer, "/v1/customers", wang(), director))[1]
    path = f"/v1/customers/{file['customerId']}"
    assert (await customer.client.get(path, headers=manager)).status_code == 403
    status, told = await post(customer, f"{path}/grade", {"grade": "A", "reason": "战略客户"}, manager)
    assert (status, told) == (200, {"customerId": file["customerId"], "code": file["code"], "grade": "A"})
