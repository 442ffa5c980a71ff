"""The survey service over HTTP and its topics."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.survey.main import build
from tests.support.eventually import eventually
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack
from tests.support.topics import read_all, write

pytestmark = pytest.mark.stack

CANARY = "canary-7f3a 电话 13800000000"
QUESTIONNAIRE: dict[str, Any] = {
    "code": "care",
    "questions": [
        {
            "question": "product",
            "kind": "csat",
            "scale": [1, 5],
            "factor": "product",
            "weight": 6,
            "required": True,
            "text": {"zh": "您对产品满意吗？", "en": "How satisfied are you with the product?"},
        },
        {"question": "service", "kind": "csat", "scale": [1, 5], "factor": "service", "weight": 4},
        {"question": "recommend", "kind": "nps", "scale": [0, 10], "weight": 0},
        {"question": "channel", "kind": "choice", "choices": ["web", "shop"]},
        {"question": "why", "kind": "comment"},
    ],
}


@pytest.fixture
async def survey(stack: RealStack, namespace: Namespace, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(build, settings_for(stack, namespace, tmp_path)) as service:
        yield service


async def post(survey: Running, path: str, body: dict[str, Any] | None, status: int = 201) -> dict[str, Any]:
    answer = await survey.client.post(path, json=body)
    assert answer.status_code == status, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def get(survey: Running, path: str, **params: Any) -> dict[str, Any]:
    answer = await survey.client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def campaign_of(survey: Running, code: str = "spring", **more: Any) -> dict[str, Any]:
    await post(survey, "/v1/questionnaires", QUESTIONNAIRE)
    return await post(survey, "/v1/campaigns", {"code": code, "questionnaire": "care", **more})


def answered(identifier: str, response: str, **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": identifier,
        "source": "shop",
        "type": "survey.answered",
        "time": "2026-03-01T10:00:00Z",
        "timezone": "America/Sao_Paulo",
        "datacontenttype": "application/json",
        "data": {"response": response, **data},
    }


async def outcomes(survey: Running, source: str = "shop") -> dict[str, int]:
    totals = await get(survey, "/v1/intake/receipts", source=source)
    counts: dict[str, int] = totals["types"].get("survey.answered", {})
    return counts


async def events(stack: RealStack, namespace: Namespace, count: int) -> list[dict[str, Any]]:
    """What was said, once so many events stand on the topic; one that was repeated counts once."""

    async def told() -> list[dict[str, Any]]:
        said: dict[str, dict[str, Any]] = {}
        for record in await read_all(stack.kafka, f"{namespace.topic_prefix}survey-events"):
            event = json.loads(record.value)
            assert event["partitionkey"] == record.key.decode()
            said[event["id"]] = event
        return list(said.values())

    async def all_told() -> bool:
        return len(await told()) >= count

    await eventually(all_told, 30)
    return await told()


async def test_a_questionnaire_is_published_in_versions_that_stay(survey: Running) -> None:
    first = await post(survey, "/v1/questionnaires", QUESTIONNAIRE)
    second = await post(
        survey,
        "/v1/questionnaires",
        {"code": "care", "scoring": "linear", "questions": QUESTIONNAIRE["questions"][:1]},
    )
    where = f"/v1/questionnaires/{first['questionnaireId']}"
    assert (first["version"], second["version"]) == (1, 2)
    assert await get(survey, where) == second
    assert await get(survey, f"{where}/versions/1") == first
    assert (await get(survey, "/v1/questionnaires", code="care"))["questionnaires"] == [second]
    missing = await survey.client.get(f"{where}/versions/3")
    assert (missing.status_code, missing.json()["detail"]) == (
        404,
        "questionnaire 'care' has the versions 1 to 2; name one of them",
    )


async def test_an_impossible_question_is_answered_with_its_place(survey: Running) -> None:
    impossible = [
        ({"question": "a", "kind": "nps", "scale": [1, 5]}, "an NPS question has the scale"),
        ({"question": "a", "kind": "csat"}, "needs a scale"),
        ({"question": "a", "kind": "csat", "scale": ["1", "5"]}, "questions.0.scale"),
        ({"question": "a", "kind": "comment", "colour": "red"}, "questions.0.colour"),
        ({"question": "a", "kind": "choice"}, "needs its choices"),
    ]
    for question, where in impossible:
        answer = await survey.client.post("/v1/questionnaires", json={"code": "bad", "questions": [question]})
        assert answer.status_code == 422
        assert where in answer.text
        assert "questions.0" in answer.text


async def test_a_campaign_asks_the_version_it_started_with(survey: Running) -> None:
    campaign = await campaign_of(survey, productLines=["pumps"])
    await post(survey, "/v1/questionnaires", {"code": "care", "questions": QUESTIONNAIRE["questions"][:1]})
    where = f"/v1/campaigns/{campaign['campaignId']}"
    shown = await get(survey, where)
    assert shown == {**campaign, "responses": {"all": 0, "late": 0}}
    assert (shown["questionnaireVersion"], len(shown["questions"]), shown["status"]) == (1, 5, "running")
    again = await survey.client.post("/v1/campaigns", json={"code": "spring", "questionnaire": "care"})
    assert (again.status_code, again.json()["type"]) == (409, "/problems/campaign-already-started")
    unknown = await survey.client.post("/v1/campaigns", json={"code": "summer", "questionnaire": "none"})
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/questionnaire-unknown")
    assert (await post(survey, f"{where}/close", None, 200))["status"] == "closed"
    closed_again = await survey.client.post(f"{where}/close")
    assert (closed_again.status_code, closed_again.json()["type"]) == (409, "/problems/campaign-already-closed")


async def test_a_response_is_scored_shown_and_counted(survey: Running, stack: RealStack, namespace: Namespace) -> None:
    campaign = await campaign_of(survey, productLines=["pumps"])
    body = {
        "campaign": "spring",
        "customer": {"source": "crm", "id": "k-1"},
        "mode": "phone",
        "dims": {"region": "华东"},
        "answers": [
            {"question": "product", "value": 4},
            {"question": "service", "value": 3},
            {"question": "recommend", "value": 9},
            {"question": "channel", "choice": "shop"},
            {"question": "why", "comment": "快"},
        ],
    }
    response = await post(survey, "/v1/responses", body)
    assert (response["index"], response["csat"], response["nps"], response["late"]) == (720_000, 4, 9, False)
    assert response["choices"] == {"channel": "shop"}
    assert await get(survey, f"/v1/responses/{response['responseId']}") == response
    assert await get(survey, f"/v1/responses/{response['responseId']}/comment") == {
        "responseId": response["responseId"],
        "comments": {"why": "快"},
        "choices": {},
    }
    other = await post(
        survey, "/v1/responses", {"campaign": "spring", "answers": [{"question": "product", "value": 5}]}
    )
    page = await get(survey, "/v1/responses", campaign="spring", limit=1)
    rest = await get(survey, "/v1/responses", campaign="spring", limit=1, after=page["next"])
    ids = [one["responseId"] for one in (*page["responses"], *rest["responses"])]
    assert ids == sorted([response["responseId"], other["responseId"]])
    shown = (await get(survey, "/v1/campaigns"))["campaigns"][0]
    assert (shown["campaignId"], shown["responses"]) == (campaign["campaignId"], {"all": 2, "late": 0})
    said = {one["subject"]: one for one in await events(stack, namespace, 4)}
    event = said[response["responseId"]]
    assert event["type"] == "manyi.survey.responded.v1"
    assert event["partitionkey"] == event["data"]["customerId"] == response["customerId"]
    assert event["data"]["dims"] == {"region": "华东", "product_line": "pumps", "mode": "phone", "source": "crm"}
    assert said[other["responseId"]]["partitionkey"] == other["responseId"]


async def test_a_refusal_names_the_question_and_the_same_key_gets_the_first_answer(survey: Running) -> None:
    await campaign_of(survey)
    nine = {"campaign": "spring", "answers": [{"question": "product", "value": 9}]}
    refused = await survey.client.post("/v1/responses", json=nine)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/answer-outside-scale")
    assert "'product': 9 is outside its scale; send a whole number from 1 to 5" in refused.json()["detail"]
    unknown = await survey.client.post("/v1/responses", json={**nine, "campaign": "winter"})
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/campaign-unknown")
    both = {**nine, "customerId": "0" * 32, "customer": {"source": "crm", "id": "1"}}
    assert (await survey.client.post("/v1/responses", json=both)).status_code == 422
    five = {"campaign": "spring", "answers": [{"question": "product", "value": 5}]}
    headers = {"Idempotency-Key": "once"}
    first = await survey.client.post("/v1/responses", json=five, headers=headers)
    again = await survey.client.post("/v1/responses", json=five, headers=headers)
    assert (first.status_code, again.json()) == (201, first.json())
    assert len((await get(survey, "/v1/responses"))["responses"]) == 1


async def test_late_answers_are_taken_and_marked(survey: Running) -> None:
    closes_at = datetime.now(UTC) + timedelta(days=1)
    campaign = await campaign_of(survey, closesAt=closes_at.isoformat())
    five = {"campaign": "spring", "answers": [{"question": "product", "value": 5}]}
    assert not (await post(survey, "/v1/responses", five))["late"]
    after = (closes_at + timedelta(minutes=1)).isoformat()
    assert (await post(survey, "/v1/responses", {**five, "answeredAt": after}))["late"]
    await post(survey, f"/v1/campaigns/{campaign['campaignId']}/close", None, 200)
    assert (await post(survey, "/v1/responses", five))["late"]
    shown = await get(survey, f"/v1/campaigns/{campaign['campaignId']}")
    assert shown["responses"] == {"all": 3, "late": 2}


async def test_answers_without_a_campaign_come_in_once_and_bad_ones_with_a_reason(
    survey: Running, stack: RealStack, namespace: Namespace
) -> None:
    score = {"question": "score", "metric": "csat", "scale": [1, 5], "value": 4.0}
    good = answered("1", "r1", customer="k", answers=[score], dims={"region": "SP"})
    bad = {
        "2": answered("2", "r2", answers=[{"question": "score", "value": 4}]),
        "3": answered("3", "r3", answers=[{**score, "metric": "nps"}]),
        "4": answered("4", "r4", answers=[{**score, "value": 6}]),
        "5": answered("5", "r5", answers=[]),
        "6": {**answered("6", "r6", answers=[score]), "timezone": "Mars/Olympus"},
    }
    again = answered("7", "r1", customer="k", answers=[score])
    topic = f"{namespace.topic_prefix}survey-intake"
    await write(stack.kafka, topic, [(b"k", good), *((b"k", one) for one in bad.values()), (b"x", again), (b"k", good)])

    async def settled() -> bool:
        return await outcomes(survey) == {"accepted": 1, "duplicate": 2, "early": 0, "rejected": 5}

    await eventually(settled, 30)
    rejects = (await get(survey, "/v1/intake/receipts", source="shop"))["rejects"]
    reasons = {one["id"]: one["reason"] for one in rejects}
    assert set(reasons) == set(bad)
    assert "without a campaign an answer must say its metric" in reasons["2"]
    assert "an NPS question has the scale [0, 10]" in reasons["3"]
    assert "6 is outside its scale" in reasons["4"]
    assert "no such time zone" in reasons["6"]
    said = await events(stack, namespace, 1)
    assert [(one["data"]["csat"], one["timezone"], one["time"]) for one in said] == [
        (4, "America/Sao_Paulo", "2026-03-01T10:00:00.000Z")
    ]
    assert said[0]["data"]["dims"] == {"region": "SP", "mode": "web", "source": "shop"}
    # Scores and a moment are nobody's secret: without words there is nothing to seal, and no key is needed.
    assert await survey.service.database["journal"].find_one({"person": {"$exists": True}}) is None


async def test_an_answer_waits_for_its_campaign_to_start(
    survey: Running, stack: RealStack, namespace: Namespace
) -> None:
    four = [{"question": "product", "value": 4}]
    early = [
        answered("1", "r1", campaign="spring", customer="k", answers=four),
        answered("2", "r2", campaign="spring", answers=[{"question": "product", "value": 9}]),
        answered("3", "r3", campaign="never", answers=four),
    ]
    await write(stack.kafka, f"{namespace.topic_prefix}survey-intake", [(b"k", one) for one in early])

    async def kept() -> bool:
        return (await outcomes(survey)).get("early") == 3

    await eventually(kept, 30)
    await campaign_of(survey)

    async def awakened() -> bool:
        return await outcomes(survey) == {"accepted": 1, "duplicate": 0, "early": 1, "rejected": 1}

    await eventually(awakened, 30)
    taken = (await get(survey, "/v1/responses", campaign="spring"))["responses"]
    assert [(one["csat"], one["index"]) for one in taken] == [(4, 800_000)]
    assert (await get(survey, "/v1/health"))["early"] == 1


async def test_more_answers_may_wait_than_one_transaction_takes(survey: Running) -> None:
    five = [{"question": "product", "value": 5}]
    waiting = [answered(str(number), f"r{number}", campaign="spring", answers=five) for number in range(1_200)]
    batch = {"Content-Type": "application/cloudevents-batch+json"}
    sent = await survey.client.post("/v1/intake", content=json.dumps(waiting), headers=batch)
    assert {receipt["outcome"] for receipt in sent.json()["receipts"]} == {"early"}
    campaign = await campaign_of(survey)

    async def all_taken() -> bool:
        shown = await get(survey, f"/v1/campaigns/{campaign['campaignId']}")
        return bool(shown["responses"]["all"] == 1_200)

    await eventually(all_taken, 30)
    assert await outcomes(survey) == {"accepted": 1_200, "duplicate": 0, "early": 0, "rejected": 0}


async def test_what_was_written_and_who_was_anonymous_never_leave(
    survey: Running, stack: RealStack, namespace: Namespace
) -> None:
    campaign = await campaign_of(survey, anonymous=True)
    told = [{"question": "product", "value": 1}, {"question": "why", "comment": CANARY}]
    free = [
        {"question": "score", "metric": "csat", "scale": [1, 5], "value": 1},
        {"question": "title", "comment": CANARY},
        {"question": "where", "choice": CANARY},
    ]
    shown = await post(
        survey,
        "/v1/responses",
        {"campaign": "spring", "customer": {"source": "crm", "id": CANARY}, "answers": told},
    )
    topic = f"{namespace.topic_prefix}survey-intake"
    waiting = answered("2", "r2", campaign="later", customer="k", answers=told)
    refused = answered("3", "r3", campaign="spring", answers=[{"question": "product", "comment": CANARY}])
    await write(
        stack.kafka,
        topic,
        [(b"k", one) for one in (answered(CANARY, "r1", customer="k", answers=free), waiting, refused)],
    )

    async def settled() -> bool:
        return await outcomes(survey) == {"accepted": 1, "duplicate": 0, "early": 1, "rejected": 1}

    await eventually(settled, 30)
    said = await events(stack, namespace, 4)
    responded = {one["subject"]: one for one in said if one["type"] == "manyi.survey.responded.v1"}
    anonymous = responded[shown["responseId"]]
    assert anonymous["partitionkey"] == shown["responseId"]
    assert "customerId" not in anonymous["data"]
    assert [one["data"]["hasComment"] for one in responded.values()] == [True, True]
    comment = await get(survey, f"/v1/responses/{shown['responseId']}/comment")
    assert comment["comments"] == {"why": CANARY}
    elsewhere = [
        str(await read_all(stack.kafka, f"{namespace.topic_prefix}{name}"))
        for name in ("survey-events", "dead-letters")
    ]
    shown_at = ["/v1/responses", "/v1/campaigns", "/v1/intake/receipts?source=shop", "/metrics"]
    shown_at += [f"/v1/responses/{response_id}" for response_id in responded]
    elsewhere += [(await survey.client.get(path)).text for path in shown_at]
    database = survey.service.database
    names = await database.list_collection_names()
    elsewhere += [str(await database[name].find().to_list()) for name in names if not name.startswith("system.")]
    hidden = [CANARY, CANARY.split()[0], json.dumps(CANARY)[1:-1]]
    assert not [text for text in elsewhere for canary in hidden if canary in text]
    assert campaign["anonymous"]


async def test_every_event_and_type_is_in_the_asyncapi_document(survey: Running) -> None:
    document = (await survey.client.get("/asyncapi.json")).text
    for wire_type in ("questionnaire.published", "campaign.started", "campaign.closed", "responded"):
        assert f"manyi.survey.{wire_type}.v1" in document
    assert "survey.answered" in document
