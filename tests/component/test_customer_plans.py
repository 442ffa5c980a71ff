"""Plans to look after customers, over HTTP: one by one and for a whole grade."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.customer.main import build
from tests.support.customers import wang
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
STEPS = [
    {"kind": "visit", "what": "现场校准", "needs": ["calibration"], "within": {"amount": 10, "unit": "working_days"}},
    {"kind": "call", "what": "询问备件需求", "within": {"amount": 20, "unit": "working_days"}},
]


@pytest.fixture
async def customer(stack: RealStack, namespace: Namespace, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(build, settings_for(stack, namespace, tmp_path)) as service:
        yield service


async def graded(customer: Running, company: str, grade: str) -> str:
    body = wang(company=company, phone=f"138{len(company):08d}", name=company)
    opened = (await customer.client.post("/v1/customers", json=body)).json()
    place = f"/v1/customers/{opened['customerId']}/grade"
    answer = await customer.client.post(place, json={"grade": grade, "reason": "战略客户"})
    assert answer.status_code == 200, answer.text
    return str(opened["customerId"])


@pytest.mark.policy("S3-02", "S3-05", "S3-14", "S3-17")
async def test_a_plan_is_made_adjusted_carried_out_and_reviewed(customer: Running) -> None:
    mine = await graded(customer, "甲", "A")
    place = f"/v1/customers/{mine}/maintenance-plans"
    made = await customer.client.post(place, json={"kind": "service", "title": "下半年服务计划", "steps": STEPS})
    assert made.status_code == 201, made.text
    here = f"{place}/{made.json()['planId']}"

    more = {"kind": "visit", "what": "培训", "needs": ["training"], "within": {"amount": 5, "unit": "working_days"}}
    changed = await customer.client.post(f"{here}/adjustments", json={"add": [more], "drop": ["2"], "reason": "变化"})
    assert changed.json()["words"]["3"] == "培训"
    assert (await customer.client.post(f"{here}/adjustments", json={"reason": "无"})).status_code == 422
    done = await customer.client.post(f"{here}/steps/1/done", json={"note": "已校准"})
    assert [one["status"] for one in done.json()["steps"]] == ["done", "dropped", "open"]
    refused = await customer.client.post(f"{here}/steps/2/done", json={})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/maintenance-step-settled")
    weighed = await customer.client.post(f"{here}/reviews", json={"score": 82, "note": "交付及时"})
    assert [one["score"] for one in weighed.json()["reviews"]] == [82]
    assert weighed.json()["notes"] == ["变化", "已校准", "交付及时"]

    listed = (await customer.client.get("/v1/maintenance-plans")).json()["plans"]
    assert [one["nextAt"] for one in listed] == [weighed.json()["steps"][2]["dueAt"]]
    assert (await customer.client.get("/v1/maintenance-plans", params={"overdue": True})).json() == {"plans": []}
    progress = (await customer.client.get("/v1/maintenance-plans/progress")).json()
    assert progress == {
        "plans": 1,
        "steps": 3,
        "done": 1,
        "doneLate": 0,
        "dropped": 1,
        "overdue": 0,
        "completion": 0.5,
    }
    assert (await customer.client.get(place)).json() == [weighed.json()]


@pytest.mark.policy("S3-02")
async def test_a_drive_plans_for_each_customer_of_a_grade_once(customer: Running) -> None:
    first, second = await graded(customer, "甲", "A"), await graded(customer, "乙乙", "A")
    other = await graded(customer, "丙丙丙", "C")
    body: dict[str, Any] = {"grade": "A", "title": "A级客户回访", "steps": STEPS}
    told = [
        (await customer.client.post("/v1/maintenance-drives", json=body, headers={"Idempotency-Key": "d"})).json()
        for _ in range(2)
    ]
    assert told[0] == told[1]
    assert told[0]["customers"] == 2
    plans = {
        one: (await customer.client.get(f"/v1/customers/{one}/maintenance-plans")).json()
        for one in (first, second, other)
    }
    assert [len(plans[one]) for one in (first, second, other)] == [1, 1, 0]
    assert plans[first][0]["driveId"] == told[0]["driveId"]
    query = {"drive_id": told[0]["driveId"]}
    progress = (await customer.client.get("/v1/maintenance-plans/progress", params=query)).json()
    assert (progress["plans"], progress["steps"], progress["completion"]) == (2, 4, 0.0)
