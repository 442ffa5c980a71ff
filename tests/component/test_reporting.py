"""The reporting service over HTTP and its topics."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.reporting.main import build
from shared.contracts.customer import ContractEnded, ContractSigned, PurchaseRecorded
from shared.contracts.feedback import CaseClosed, CaseReopened, CaseResolved, CaseResponded, ComplaintOpened
from shared.contracts.survey import Answer, SurveyResponded
from tests.support.eventually import eventually
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack
from tests.support.telling import Teller
from tests.support.topics import read_all, write

pytestmark = pytest.mark.stack


@pytest.fixture
async def reporting(stack: RealStack, namespace: Namespace, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(build, settings_for(stack, namespace, tmp_path)) as service:
        yield service


def moment(month: int, day: int, hour: int = 4) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


async def send(stack: RealStack, namespace: Namespace, speaker: str, events: list[dict[str, Any]]) -> None:
    topic = f"{namespace.topic_prefix}{speaker}-events"
    await write(stack.kafka, topic, [(event["partitionkey"].encode(), event) for event in events])


async def ask(reporting: Running, metric: str, **parameters: str) -> dict[str, Any]:
    answer = await reporting.client.get(f"/v1/metrics/{metric}", params=parameters)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def answered(subject: str, value: int, region: str) -> SurveyResponded:
    answer = Answer(question="overall", metric="csat", value=value, scale=(1, 5))
    return SurveyResponded(
        response_id=subject, answers=[answer], index=value * 200_000, dims={"source": "shop", "region": region}
    )


async def test_answers_become_satisfaction_by_region(
    reporting: Running, stack: RealStack, namespace: Namespace
) -> None:
    teller = Teller()
    scores = [("r1", 5, "east"), ("r2", 4, "east"), ("r3", 2, "west"), ("r4", 3, "west"), ("r5", 5, "west")]
    events = [teller.tell(name, answered(name, value, region), time=moment(3, 10)) for name, value, region in scores]
    await send(stack, namespace, "survey", events + events)

    async def counted() -> dict[str, Any]:
        told = await ask(reporting, "csat", by="region", **{"from": "2026-03-01", "to": "2026-04-01"})
        assert told["total"]["n"] == 5
        return told

    told = await eventually(counted)
    assert (told["source"], told["provisional"]) == ("cells", True)
    assert told["total"]["value"] == 60.0
    assert told["total"]["counts"] == {"1": 0, "2": 1, "3": 1, "4": 1, "5": 2}
    shown = {group["dims"]["region"]: (group["count"], group["n"]) for group in told["groups"]}
    assert shown == {"east": (2, 2), "west": (1, 3)}
    narrowed = await ask(reporting, "satisfaction_index", **{"where.region": "east", "where.source": "shop"})
    assert (narrowed["total"]["value"], narrowed["source"]) == (90.0, "cells")
    empty = await ask(reporting, "csat", **{"from": "2020-01-01", "to": "2020-02-01"})
    assert empty["total"]["value"] is None
    assert empty["total"]["reason"]
    page = (await reporting.client.get("/v1/facts", params={"metric": "csat", "limit": 2})).json()
    assert [fact["id"] for fact in page["facts"]] == ["r1", "r2"]
    rest = (await reporting.client.get("/v1/facts", params={"metric": "csat", "after": page["next"]})).json()
    assert [fact["id"] for fact in rest["facts"]] == ["r3", "r4", "r5"]
    assert rest["next"] is None
    other = {"metric": "rating_mean", "where.metric": "nps"}
    assert (await reporting.client.get("/v1/facts", params=other)).json()["facts"] == []
    one = (await reporting.client.get("/v1/facts/responses/r1")).json()
    assert one["fact"]["dims"] == {"source": "shop", "region": "east", "mode": "web"}


async def test_orders_and_contracts_become_repurchase_and_churn(
    reporting: Running, stack: RealStack, namespace: Namespace
) -> None:
    teller = Teller(zone="Europe/London")

    def order(customer: str, number: str, day: datetime) -> dict[str, Any]:
        said = PurchaseRecorded(
            customer_id=customer,
            purchase_id=number,
            amount=1_000,
            currency="GBP",
            occurred_at=day,
            dims={"source": "s"},
        )
        return teller.tell(customer, said, time=day)

    signed = ContractSigned(
        customer_id="c",
        contract_id="k",
        monthly_amount=500,
        currency="USD",
        starts_at=moment(1, 5),
        dims={"source": "s"},
    )
    ended = ContractEnded(customer_id="c", contract_id="k", ended_at=moment(3, 7))
    events = [
        order("a", "1", moment(3, 1)),
        order("a", "2", moment(3, 1, 9)),
        order("a", "3", moment(3, 9)),
        order("b", "4", moment(3, 2)),
        teller.tell("c", signed, time=moment(1, 5)),
        teller.tell("c", ended, time=moment(3, 7)),
    ]
    await send(stack, namespace, "customer", events)
    march = {"from": "2026-03-01", "to": "2026-04-01"}

    async def counted() -> dict[str, Any]:
        told = await ask(reporting, "logo_churn", **march)
        assert (told["total"]["n"], told["total"]["count"]) == (1, 1)
        assert (await ask(reporting, "purchases"))["total"]["value"] == 4
        return told

    await eventually(counted)
    rate = await ask(reporting, "repurchase_rate", **march)
    assert (rate["total"]["n"], rate["total"]["count"], rate["source"]) == (2, 1, "cells")
    odd = await ask(reporting, "repurchase_rate", **{"from": "2026-03-02", "to": "2026-04-01"})
    assert (odd["total"]["n"], odd["total"]["count"], odd["source"]) == (2, 0, "facts")
    bought = await ask(reporting, "purchases", **march)
    assert (bought["total"]["value"], bought["total"]["amounts"]) == (4, {"GBP": 4_000})
    revenue = await ask(reporting, "revenue_churn", **march)
    assert revenue["total"]["amounts"] == {"lost": {"USD": 500}, "start": {"USD": 500}}
    undated = await ask(reporting, "logo_churn")
    assert undated["total"]["reason"] == "churn is told between two days: give from and to"


async def test_complaints_are_answered_resolved_reopened_and_judged(
    reporting: Running, stack: RealStack, namespace: Namespace
) -> None:
    teller = Teller()
    opened = ComplaintOpened(case_id="k", priority="3", opened_at=moment(3, 1, 0), dims={"source": "desk"})
    steps = [
        CaseResponded(case_id="k", at=moment(3, 1, 2)),
        CaseResolved(case_id="k", at=moment(3, 2, 0)),
        CaseReopened(case_id="k", cycle=2, at=moment(3, 12)),
        CaseResolved(case_id="k", cycle=2, at=moment(3, 21, 0)),
        CaseClosed(case_id="k", cycle=2, at=moment(3, 22), priority="1", sla_kept=True),
    ]
    await send(stack, namespace, "feedback", [teller.tell("k", said) for said in (opened, *steps)])

    async def judged() -> dict[str, Any]:
        told = await ask(reporting, "sla_kept", by="priority")
        assert told["groups"]
        return told

    told = await eventually(judged)
    assert told["groups"][0]["dims"] == {"priority": "1"}
    assert (await ask(reporting, "complaints_opened", by="priority"))["groups"][0]["dims"] == {"priority": "3"}
    assert (await ask(reporting, "cases_reopened"))["total"]["value"] == 1
    assert (await ask(reporting, "reopen_rate"))["total"]["value"] == 100.0
    assert (await ask(reporting, "resolution_time", exact="true"))["total"]["value"] == 480.0
    assert abs((await ask(reporting, "resolution_time"))["total"]["value"] / 480 - 1) < 0.02
    assert (await ask(reporting, "first_response_time", exact="true"))["total"]["value"] == 2.0


async def test_a_number_tells_why_it_changed_and_a_fact_how_it_came(
    reporting: Running, stack: RealStack, namespace: Namespace
) -> None:
    teller = Teller()
    verdicts = {"k": True, "l": False}
    opened = [ComplaintOpened(case_id=case, opened_at=moment(3, 1), dims={"source": "desk"}) for case in verdicts]
    closed = [CaseClosed(case_id=case, at=moment(3, 5), sla_kept=kept) for case, kept in verdicts.items()]
    again = CaseClosed(case_id="k", cycle=2, at=moment(3, 8), sla_kept=False)
    events = [
        *(teller.tell(said.case_id, said, time=moment(3, 1)) for said in opened),
        *(teller.tell(said.case_id, said, time=moment(3, 5), recorded=moment(3, 6)) for said in closed),
        teller.tell("k", CaseReopened(case_id="k", cycle=2, at=moment(3, 7)), time=moment(3, 7)),
        teller.tell("k", again, time=moment(3, 8)),
    ]
    await send(stack, namespace, "feedback", events)

    async def counted() -> bool:
        total = (await ask(reporting, "sla_kept"))["total"]
        return bool((total["n"], total["count"]) == (2, 0))

    await eventually(counted)
    days = {"from_as_of": "2026-03-06", "to_as_of": "2026-03-08", "by": "source"}
    told = (await reporting.client.get("/v1/metrics/sla_kept/why", params=days)).json()
    assert (told["before"]["total"]["count"], told["before"]["total"]["n"]) == (1, 2)
    assert told["difference"] == {"n": 0, "count": -1}
    assert [(fact["id"], fact["kind"], fact["count"]) for fact in told["facts"]] == [("k", "changed", -1)]
    (event,) = told["facts"][0]["events"]
    assert (event["event"], event["recorded_day"], event["count"]) == ("k-4", "2026-03-08", -1)
    assert [(group["dims"], group["count"]) for group in event["groups"]] == [({"source": "desk"}, -1)]
    days = {"from_as_of": "2026-02-28"}
    whole = (await reporting.client.get("/v1/metrics/complaints_opened/why", params={**days, "limit": 1})).json()
    assert (whole["difference"]["n"], whole["next"]) == (2, "k")
    rest = (await reporting.client.get("/v1/metrics/complaints_opened/why", params={**days, "after": "k"})).json()
    assert [(fact["id"], fact["kind"]) for fact in rest["facts"]] == [("l", "entered")]
    assert rest["facts"][0]["events"][0]["event"] == "l-1"
    story = (await reporting.client.get("/v1/facts/k/history")).json()
    assert story["projection"] == "cases"
    assert [(step["event"], step["recorded_day"]) for step in story["history"]] == [
        ("k-1", "2026-03-01"),
        ("k-2", "2026-03-06"),
        ("k-3", "2026-03-07"),
        ("k-4", "2026-03-08"),
    ]
    assert story["history"][0]["before"] is None
    assert {"at": ["closed", "kept"], "before": True, "after": False} in story["history"][-1]["changed"]


async def test_what_cannot_be_read_is_set_aside_and_the_rest_is_counted(
    reporting: Running, stack: RealStack, namespace: Namespace
) -> None:
    teller = Teller()
    good = [teller.tell(f"r{number}", answered(f"r{number}", 5, "east")) for number in range(3)]
    topic = f"{namespace.topic_prefix}survey-events"
    bad: list[tuple[bytes | None, Any]] = [
        (b"x", b"not json"),
        (b"x", b"\xff\xfe"),
        (b"x", None),
        (None, good[0]),
        (b"x", b'{"id": "1", "id": "2"}'),
        (b"x", b"[" * 5_000),
        (b"x", {**good[0], "type": "manyi.survey.responded.v9", "partitionkey": "x"}),
        (b"x", {**good[0], "revision": "1", "partitionkey": "x"}),
        (b"x", {**good[0], "data": {"answers": 1}, "partitionkey": "x"}),
        (b"x", {**good[0], "timezone": "Mars/Olympus", "partitionkey": "x"}),
    ]
    mixed = [(event["partitionkey"].encode(), event) for event in good]
    await write(stack.kafka, topic, [bad[0], mixed[0], *bad[1:5], mixed[1], *bad[5:], mixed[2]])

    async def set_aside() -> bool:
        health = (await reporting.client.get("/v1/health")).json()
        assert health["dead_letters"] == len(bad)
        return bool((await ask(reporting, "responses"))["total"]["value"] == 3)

    await eventually(set_aside)

    async def announced() -> bool:
        letters = await read_all(stack.kafka, f"{namespace.topic_prefix}dead-letters")
        return len({letter.key for letter in letters}) == len(bad)  # one may be announced twice

    await eventually(announced)


async def test_what_waits_for_a_missing_revision_is_seen_until_that_comes(
    reporting: Running, stack: RealStack, namespace: Namespace
) -> None:
    teller = Teller()
    first, second = (teller.tell("k", ComplaintOpened(case_id="k", opened_at=moment(3, day))) for day in (1, 2))

    async def parked(count: int) -> bool:
        health = (await reporting.client.get("/v1/health")).json()
        gaps = [(gap["state"], gap["waits_for"]) for gap in health["waiting"]]
        assert (health["parked"], gaps) == (count, [("parked", "cases/k before revision 2")] * count)
        ready = await reporting.client.get("/readyz")
        assert (ready.status_code, ready.json()["set_aside"]["parked"]) == (200, count)
        assert f'manyi_set_aside{{state="parked"}} {count:.1f}' in (await reporting.client.get("/metrics")).text
        return bool((await ask(reporting, "complaints_opened"))["total"]["n"] == 1 - count)

    await send(stack, namespace, "feedback", [second])
    await eventually(lambda: parked(1), 40)
    await send(stack, namespace, "feedback", [first])
    await eventually(lambda: parked(0), 40)


async def test_questions_that_make_no_sense_are_problem_documents(reporting: Running) -> None:
    for path, status, slug in (
        ("/v1/metrics/nonsense", 404, "unknown-metric"),
        ("/v1/metrics/csat?form=2026-01-01", 422, "unknown-parameter"),
        ("/v1/metrics/csat?from=yesterday", 422, "invalid-date"),
        ("/v1/metrics/csat?from=2026-02-01&to=2026-01-01", 422, "empty-period"),
        ("/v1/metrics/csat?by=Region%20", 422, "unknown-dimension"),
        ("/v1/metrics/csat?definition=other@1", 404, "unknown-definition"),
        ("/v1/facts/responses/none", 404, "unknown-fact"),
        ("/v1/facts/none/history", 404, "unknown-fact"),
        ("/v1/metrics/csat/why?from_as_of=soon", 422, "invalid-date"),
        ("/v1/metrics/csat/why?from_as_of=2026-03-02&to_as_of=2026-03-02", 422, "empty-period"),
        ("/v1/metrics/csat/why?from_as_of=2026-03-02&form=1", 422, "unknown-parameter"),
        ("/v1/metrics/logo_churn/why?from_as_of=2026-03-02", 422, "no-such-period"),
        ("/v1/facts?metric=csat&limit=0", 422, "invalid"),
    ):
        answer = await reporting.client.get(path)
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}"), path
        assert answer.headers["content-type"] == "application/problem+json"
    listed = (await reporting.client.get("/v1/metrics")).json()
    assert len(listed["metrics"]) == 18
    assert listed["metrics"][1]["names"]["zh"] == "满意率"


async def test_a_day_becomes_final_once_the_watermarks_have_passed_it(
    reporting: Running, stack: RealStack, namespace: Namespace
) -> None:
    teller = Teller()
    await send(stack, namespace, "survey", [teller.tell("r", answered("r", 5, "east"), time=moment(3, 10))])

    async def asked() -> dict[str, Any]:
        return await ask(reporting, "responses", as_of="2026-03-10")

    first = await eventually(asked)
    assert first["provisional"]
    for topic in namespace.topics:
        if topic.name.endswith("-events"):
            marks = [
                {"topic": topic.name, "partition": partition, "recordedthrough": "2026-03-11T00:00:00Z", "offset": None}
                for partition in range(topic.partitions)
            ]
            records = [(f"{topic.name}/{mark['partition']}".encode(), mark) for mark in marks]
            await write(stack.kafka, f"{namespace.topic_prefix}watermarks", records)

    async def final() -> bool:
        told = await asked()
        assert told["total"]["value"] == 1
        return not told["provisional"]

    await eventually(final)
    assert (await ask(reporting, "responses", as_of="2026-03-11"))["provisional"]
    assert (await ask(reporting, "responses", as_of="2026-03-09"))["total"]["value"] == 0

    surveys = f"{namespace.topic_prefix}survey-events"
    await write(stack.kafka, surveys, [(b"x", b"not json")], partition=0)

    async def open_again() -> bool:
        told = await asked()
        assert told["watermark"][surveys]["set_aside"] == told["provisional"]
        return bool(told["provisional"])

    await eventually(open_again)
    (letter,) = (await reporting.client.get("/v1/dead-letters")).json()["letters"]
    await reporting.client.post(f"/v1/dead-letters/{letter['id']}/discard", json={"reason": "not ours"})
    assert await final()
