"""The feedback service over HTTP and its intake topic."""

import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.feedback.main import build
from tests.support.eventually import eventually
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack
from tests.support.topics import read_all, write

pytestmark = pytest.mark.stack
CANARY = "金丝雀-喂-13900001111"


@pytest.fixture
async def feedback(stack: RealStack, namespace: Namespace, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(build, settings_for(stack, namespace, tmp_path)) as service:
        yield service


async def opened(feedback: Running, **fields: Any) -> dict[str, Any]:
    answer = await feedback.client.post("/v1/cases", json=fields)
    assert answer.status_code == 201, answer.text
    case: dict[str, Any] = answer.json()
    return case


async def step(feedback: Running, case: dict[str, Any], name: str, **body: Any) -> dict[str, Any]:
    answer = await feedback.client.post(f"/v1/cases/{case['caseId']}/{name}", json=body)
    assert answer.status_code == 200, answer.text
    after: dict[str, Any] = answer.json()
    return after


async def said(stack: RealStack, namespace: Namespace) -> list[dict[str, Any]]:
    records = await read_all(stack.kafka, f"{namespace.topic_prefix}feedback-events")
    return [json.loads(record.value) for record in records]


async def test_a_case_lives_from_opening_to_closing_and_is_reopened(
    feedback: Running, stack: RealStack, namespace: Namespace
) -> None:
    case = await opened(
        feedback, customer={"source": "crm", "id": "K-1"}, priority="2", text="外壳破损", channel="phone"
    )
    assert (case["status"], case["desk"], case["source"]) == ("received", "own", "manyi")
    await step(feedback, case, "acknowledge")
    await step(feedback, case, "assign", assignee="u-23", by="u-1")
    await step(feedback, case, "respond", text="马上处理", human=True)
    assert (await step(feedback, case, "pause"))["status"] == "waiting_customer"
    await step(feedback, case, "resume")
    await step(feedback, case, "resolve", solution="换新", customerNotified=True, outcome="replaced")
    assert (await step(feedback, case, "close"))["status"] == "closed"
    after = await step(feedback, case, "reopen", reason="not_fixed", text="又坏了")
    assert (after["status"], after["cycle"], after["version"]) == ("reopened", 2, 9)

    read = (await feedback.client.get(f"/v1/cases/{case['caseId']}")).json()
    history = read.pop("history")
    assert read == after
    assert [one["type"].split(".")[2] for one in history] == [
        *("opened", "acknowledged", "assigned", "responded", "paused", "resumed", "resolved", "closed", "reopened")
    ]
    assert history[2]["data"]["by"] == "u-1"
    words = (await feedback.client.get(f"/v1/cases/{case['caseId']}/text")).json()
    assert [(one["kind"], one["text"]) for one in words] == [
        ("complaint", "外壳破损"),
        ("reply", "马上处理"),
        ("solution", "换新"),
        ("reason", "又坏了"),
    ]

    async def all_said() -> bool:
        return len(await said(stack, namespace)) == 9

    await eventually(all_said)
    events = await said(stack, namespace)
    assert [event["revision"] for event in events] == list(range(1, 10))
    assert {event["partitionkey"] for event in events} == {case["customerId"]}
    assert {event["subject"] for event in events} == {case["caseId"]}


async def test_what_does_not_follow_is_refused_in_a_sentence(feedback: Running) -> None:
    case = await opened(feedback, kind="inquiry")
    for name, body, status, slug in (
        ("close", {}, 409, "case-not-resolved"),
        ("resume", {}, 409, "case-not-paused"),
        ("resolve", {"solution": "x", "customerNotified": True}, 409, "case-not-acknowledged"),
        ("resolve", {"customerNotified": True}, 422, "invalid"),
        ("respond", {"text": "x", "human": "maybe"}, 422, "invalid"),
        ("acknowledge", {"unknown": 1}, 422, "invalid"),
    ):
        answer = await feedback.client.post(f"/v1/cases/{case['caseId']}/{name}", json=body)
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}"), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    await step(feedback, case, "acknowledge")
    answer = await feedback.client.post(
        f"/v1/cases/{case['caseId']}/resolve", json={"solution": "x", "customerNotified": False}
    )
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/customer-not-informed")
    for path in ("/v1/cases/none", "/v1/cases/none/text"):
        assert (await feedback.client.get(path)).json()["type"] == "/problems/case-unknown"
    both = {"customerId": "k", "customer": {"source": "crm", "id": "K-1"}}
    assert (await feedback.client.post("/v1/cases", json=both)).status_code == 422


async def test_the_same_key_opens_one_case_and_takes_one_step(feedback: Running) -> None:
    headers = {"Idempotency-Key": "k-1"}
    first = await feedback.client.post("/v1/cases", json={"text": "a"}, headers=headers)
    again = await feedback.client.post("/v1/cases", json={"text": "a"}, headers=headers)
    assert again.json() == first.json()
    assert len((await feedback.client.get("/v1/cases")).json()["cases"]) == 1
    path = f"/v1/cases/{first.json()['caseId']}/acknowledge"
    taken = await feedback.client.post(path, json={}, headers={"Idempotency-Key": "k-2"})
    repeated = await feedback.client.post(path, json={}, headers={"Idempotency-Key": "k-2"})
    assert (taken.status_code, repeated.status_code) == (200, 200)
    assert repeated.json() == taken.json()


async def test_cases_are_listed_by_what_they_are(feedback: Running) -> None:
    one = await opened(feedback, kind="complaint", priority="1", customerId="k1")
    two = await opened(feedback, kind="praise", priority="2")
    await step(feedback, one, "acknowledge")

    async def listed(**wanted: Any) -> set[str]:
        answer = (await feedback.client.get("/v1/cases", params=wanted)).json()
        return {case["caseId"] for case in answer["cases"]}

    assert await listed(kind="praise") == {two["caseId"]}
    assert await listed(status="acknowledged") == {one["caseId"]}
    assert await listed(priority="1", customer="k1", source="manyi") == {one["caseId"]}
    assert await listed(source="elsewhere") == set()
    page = (await feedback.client.get("/v1/cases", params={"limit": 1})).json()
    rest = (await feedback.client.get("/v1/cases", params={"limit": 1, "after": page["next"]})).json()
    assert {page["cases"][0]["caseId"], rest["cases"][0]["caseId"]} == {one["caseId"], two["caseId"]}
    assert "next" not in rest


def outside(kind: str, identifier: str, time: str, **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": identifier,
        "source": "desk",
        "type": kind,
        "time": time,
        "timezone": "Etc/UTC",
        "datacontenttype": "application/json",
        "data": {"case": "INC1", **data},
    }


STORY = [
    outside("complaint.received", "0", "2016-03-01T08:00:00Z", customer="2403", priority="3", dims={"location": "143"}),
    outside("case.updated", "1", "2016-03-01T07:58:00Z", status="acknowledged"),
    outside("case.updated", "2", "2016-03-01T09:00:00Z", status="working"),
    outside("case.updated", "3", "2016-03-02T09:00:00Z", status="resolved"),
    outside("case.updated", "4", "2016-03-03T09:00:00Z", status="working", reopenCount=1),
    outside("case.updated", "5", "2016-03-04T09:00:00Z", status="resolved", reopenCount=1),
    outside("case.updated", "6", "2016-03-09T09:00:00Z", status="closed", reopenCount=1, priority="2", slaKept=True),
]


@pytest.mark.parametrize("seed", [None, 1, 2])
async def test_an_outside_desk_s_case_is_the_same_in_any_order(
    feedback: Running, stack: RealStack, namespace: Namespace, seed: int | None
) -> None:
    story = list(STORY)
    if seed is not None:
        story = story * 2
        random.Random(seed).shuffle(story)
    topic = f"{namespace.topic_prefix}feedback-intake"
    keys = random.Random(seed)
    await write(stack.kafka, topic, [(str(keys.random()).encode(), event) for event in story])

    async def taken() -> dict[str, Any]:
        totals: dict[str, Any] = (await feedback.client.get("/v1/intake/receipts", params={"source": "desk"})).json()
        assert totals["processed"] == len(story)
        assert all(counts["early"] == 0 for counts in totals["types"].values())
        return totals

    totals = await eventually(taken)
    assert totals["types"]["case.updated"]["accepted"] == 6
    assert totals["rejects"] == []
    (case,) = (await feedback.client.get("/v1/cases", params={"source": "desk"})).json()["cases"]
    assert case["cycles"] == [
        {
            "number": 1,
            "acknowledgedAt": "2016-03-01T07:58:00.000Z",
            "resolvedAt": "2016-03-02T09:00:00.000Z",
            "timeKnown": True,
        },
        {
            "number": 2,
            "reopenedAt": "2016-03-03T09:00:00.000Z",
            "resolvedAt": "2016-03-04T09:00:00.000Z",
            "timeKnown": True,
            "closedAt": "2016-03-09T09:00:00.000Z",
            "slaKept": True,
        },
    ]
    assert (case["status"], case["desk"], case["externalId"]) == ("closed", "outside", "INC1")
    refused = await feedback.client.post(f"/v1/cases/{case['caseId']}/reopen", json={})
    assert refused.json()["type"] == "/problems/case-run-outside"


async def test_words_stay_here(feedback: Running, stack: RealStack, namespace: Namespace) -> None:
    case = await opened(feedback, text=CANARY)
    await step(feedback, case, "acknowledge")
    await step(feedback, case, "respond", text=CANARY, human=False)
    await step(feedback, case, "resolve", solution=CANARY, customerNotified=True)
    await step(feedback, case, "reopen", text=CANARY)
    received = outside("complaint.received", "0", "2016-03-01T08:00:00Z", text=CANARY)
    unopened = outside("case.updated", "1", "2016-03-01T08:00:00Z", status=CANARY)
    answer = await feedback.client.post(
        "/v1/intake", json=[received, unopened], headers={"content-type": "application/cloudevents-batch+json"}
    )
    assert [receipt["outcome"] for receipt in answer.json()["receipts"]] == ["accepted", "rejected"]

    async def all_said() -> bool:
        return len(await said(stack, namespace)) == 6

    await eventually(all_said)
    for topic in namespace.topics:
        for record in await read_all(stack.kafka, topic.name):
            assert CANARY not in (record.value or b"").decode()
            assert CANARY not in json.dumps(json.loads(record.value), ensure_ascii=False)
    database = feedback.service.database
    for collection in await database.list_collection_names():
        async for document in database[collection].find():
            assert CANARY not in repr(document), collection
    read = await feedback.client.get(f"/v1/cases/{case['caseId']}")
    assert CANARY not in read.text
    words = (await feedback.client.get(f"/v1/cases/{case['caseId']}/text")).json()
    assert [one["text"] for one in words] == [CANARY] * 4
