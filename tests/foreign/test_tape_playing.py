"""A tape played to a real Kafka: every event arrives, keyed, once or as often and in the order asked for."""

import json
from collections import Counter

import pytest

from deploy.tapes.errors import TapeError
from deploy.tapes.events import Playing
from deploy.tapes.intake_writer import CODECS, IntakeWriter
from deploy.tapes.play import Manner, play
from deploy.tapes.tape import load_tape
from tests.foreign.test_writers import read
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack


@pytest.mark.parametrize(
    ("manner", "times"), [(Manner(), 1), (Manner(times=3, shuffle=7), 3), (Manner(speed=1e9, compression="zstd"), 1)]
)
async def test_everything_arrives(
    stack: RealStack, namespace: Namespace, monkeypatch: pytest.MonkeyPatch, manner: Manner, times: int
) -> None:
    monkeypatch.setenv("MANYI_TOPIC_PREFIX", namespace.topic_prefix)
    outcome = play("known-answers", kafka=stack.kafka, services={}, manner=manner)
    expected = list(Playing(load_tape("known-answers")).events())
    assert outcome.sent.total() == len(expected) * times
    for topic in ("customer-intake", "survey-intake"):
        events = [event for event in expected if event.topic == topic]
        records = list(read(stack.kafka, namespace.topic_prefix + topic, len(events) * times))
        assert Counter((r.key(), r.value()) for r in records) == {(e.key.encode(), e.json()): times for e in events}
        assert {dict(r.headers())["content-type"] for r in records} == {b"application/cloudevents+json; charset=UTF-8"}


@pytest.mark.parametrize("codec", CODECS)
async def test_every_codec(stack: RealStack, namespace: Namespace, codec: str) -> None:
    event = next(Playing(load_tape("telco")).events())
    with IntakeWriter(stack.kafka, namespace.topic_prefix, [event.topic], codec) as writer:
        writer.send(event)
    (record,) = read(stack.kafka, namespace.topic_prefix + event.topic, 1)
    assert json.loads(record.value()) == event.body


async def test_a_missing_topic_is_named_and_nothing_is_sent(stack: RealStack) -> None:
    with pytest.raises(TapeError, match="no topic elsewhere-customer-intake; is MANYI_TOPIC_PREFIX right"):
        IntakeWriter(stack.kafka, "elsewhere-", ["customer-intake"])
