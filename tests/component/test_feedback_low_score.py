"""A bad answer opens one case, however often it is heard, and whatever stands around it."""

import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.feedback.main import build
from tests.support.eventually import eventually
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack
from tests.support.topics import write

pytestmark = pytest.mark.stack


def responded(response: str, value: int, **more: Any) -> tuple[bytes, dict[str, Any]]:
    """A record of the survey service: key and event."""
    data = {
        "responseId": response,
        "customerId": "k1",
        "productLine": "X1",
        "answers": [{"question": "q", "metric": "csat", "value": value, "scale": [1, 5]}],
        "dims": {"region": "华东", "source": "olist"},
    }
    event = {
        "specversion": "1.0",
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, response)),
        "source": "manyi/survey",
        "type": "manyi.survey.responded.v1",
        "subject": response,
        "time": "2026-03-01T08:00:00.000Z",
        "recordedtime": "2026-03-01T08:00:00.000Z",
        "partitionkey": "k1",
        "revision": 1,
        "data": data,
    }
    return b"k1", {**event, **more}


async def cases_of(feedback: Running) -> list[dict[str, Any]]:
    answer = (await feedback.client.get("/v1/cases", params={"limit": 200})).json()
    return sorted(answer["cases"], key=lambda case: case["openedAt"])


async def until_opened_for(feedback: Running, response: str) -> list[dict[str, Any]]:
    """All cases, once there is one for this response."""

    async def there() -> list[dict[str, Any]]:
        found = await cases_of(feedback)
        assert response in [case.get("sourceResponseId") for case in found]
        return found

    return await eventually(there)


async def test_a_bad_answer_opens_one_case_within_two_seconds(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    topic = f"{namespace.topic_prefix}survey-events"
    async with running(build, settings_for(stack, namespace, tmp_path)) as feedback:
        await write(stack.kafka, topic, [responded("warm-up", 1)])
        await until_opened_for(feedback, "warm-up")
        published = time.monotonic()
        await write(stack.kafka, topic, [responded("bad", 2)])
        await until_opened_for(feedback, "bad")
        assert time.monotonic() - published < 2.0
        bad, good, last = responded("bad", 2), responded("good", 3), responded("last", 1)
        await write(stack.kafka, topic, [bad, bad, good, bad, last])
        cases = await until_opened_for(feedback, "last")
        assert [case["sourceResponseId"] for case in cases] == ["warm-up", "bad", "last"]
        case = cases[1]
        assert (case["kind"], case["status"], case["channel"], case["category"]) == (
            "complaint",
            "received",
            "survey",
            "low_score",
        )
        assert (case["source"], case["customerId"], case["dims"]["region"]) == ("olist", "k1", "华东")
        (opening,) = (await feedback.client.get(f"/v1/cases/{case['caseId']}")).json()["history"]
        assert opening["policyVersion"] == "low-score/1"
        assert opening["actor"] == "reaction:open-case-when-score-is-low"
        assert (await step_taken(feedback, case["caseId"]))["status"] == "acknowledged"


async def step_taken(feedback: Running, case_id: str) -> dict[str, Any]:
    """Our own desk works on it as on any other."""
    answer = await feedback.client.post(f"/v1/cases/{case_id}/acknowledge", json={})
    after: dict[str, Any] = answer.json()
    return after


async def test_heard_again_after_a_kill_before_the_offset_was_stored(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    topic = f"{namespace.topic_prefix}survey-events"
    settings = settings_for(stack, namespace, tmp_path)
    async with running(build, settings) as feedback:
        await write(stack.kafka, topic, [responded("bad", 1)])
        before = await until_opened_for(feedback, "bad")
    await forget_offsets(stack, namespace, topic)
    async with running(build, settings_for(stack, namespace, tmp_path)) as feedback:
        await write(stack.kafka, topic, [responded("later", 1)])
        after = await until_opened_for(feedback, "later")
        assert after[:1] == before
        assert len(after) == 2


async def forget_offsets(stack: RealStack, namespace: Namespace, topic: str) -> None:
    """Put the group back to the beginning, where a process that died before committing would have left it."""
    group = f"{namespace.topic_prefix}feedback-open-case-when-score-is-low"
    (count,) = [known.partitions for known in namespace.topics if known.name == topic]
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.kafka, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(count)]
        consumer.assign(partitions)
        await consumer.commit(dict.fromkeys(partitions, 0))
    finally:
        await consumer.stop()


async def test_what_cannot_be_read_is_set_aside_and_the_stream_goes_on(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    topic = f"{namespace.topic_prefix}survey-events"
    key, event = responded("x", 1)
    poison: list[tuple[bytes | None, Any]] = [
        (b"k1", b"not json"),
        (b"k1", b'{"id": 1, "id": 2}'),
        (b"k1", None),
        (b"k1", b'{"specversion": "1.0"}'),
        (b"k1", b"[" * 5_000),
        (b"k1", b"\xff\xfe"),
        (None, event),
        (b"other", event),
        (key, {**event, "data": {"responseId": "x"}}),
    ]
    others = [(key, {**event, "type": "manyi.survey.campaign.closed.v1"})]
    async with running(build, settings_for(stack, namespace, tmp_path)) as feedback:
        await write(stack.kafka, topic, [responded("before", 1), *poison, *others, responded("after", 1)])
        cases = await until_opened_for(feedback, "after")
        assert [case["sourceResponseId"] for case in cases] == ["before", "after"]

        async def all_set_aside() -> bool:
            return bool((await feedback.client.get("/v1/health")).json()["dead_letters"] == len(poison))

        await eventually(all_set_aside)
        reasons = [letter["reason"] async for letter in feedback.service.database["quarantine"].find()]
        assert all(reasons)
