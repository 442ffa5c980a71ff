"""A reaction that hears nothing but poison stops, loudly, before it has set all of a topic aside."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from shared.contracts.survey import SurveyResponded
from shared.plumbing.clock import ManualClock
from shared.plumbing.database import open_client
from shared.plumbing.journal import Ledger
from shared.plumbing.keyring import Keyring
from shared.plumbing.reacting import Reacting, Reaction
from shared.plumbing.sealing import BlindIndex, Seal
from shared.plumbing.streak import TooManyDeadLetters

PLACE = TopicPartition("survey-events", 0)
OTHER = (
    b'{"specversion":"1.0","id":"e","source":"manyi/survey","type":"manyi.survey.campaign.closed.v1","subject":"c",'
    b'"time":"2026-03-01T08:00:00.000Z","recordedtime":"2026-03-01T08:00:00.000Z","partitionkey":"k","revision":1,'
    b'"data":{}}'
)


def record(offset: int, value: bytes) -> "ConsumerRecord[bytes | None, bytes | None]":
    return ConsumerRecord(PLACE.topic, PLACE.partition, offset, 0, 0, b"k", value, 0, 1, len(value), ())


@pytest.fixture
async def reaction() -> AsyncIterator[Reaction]:
    """One that allows two, over a database that is never asked."""
    client = open_client("mongodb://127.0.0.1:1/")
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    keyring = Keyring(client["unused"], Seal(bytes(32)), BlindIndex(bytes(32)))
    ledger = Ledger(client, client["unused"], keyring, clock, "feedback")
    yield Reaction(ledger, Reacting("nothing", [SurveyResponded], lambda _told, _now: None), 2)
    await client.close()


async def test_too_much_poison_in_a_row_is_a_fault(reaction: Reaction) -> None:
    with pytest.raises(TooManyDeadLetters, match="survey-events/0/2"):
        await reaction.take({PLACE: [record(offset, b"?") for offset in range(3)]})


async def test_poison_that_comes_again_after_a_rebalance_counts_once(
    reaction: Reaction, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def settled(*_: object) -> None: ...

    monkeypatch.setattr("shared.plumbing.reacting.settle", settled)
    poison = [record(offset, b"?") for offset in range(3)]
    await reaction.take({PLACE: poison[:2]})
    reaction.forget()
    await reaction.take({PLACE: poison[:2]})
    with pytest.raises(TooManyDeadLetters, match="survey-events/0/2"):
        await reaction.take({PLACE: poison[2:]})


async def test_types_that_are_not_heard_pass_by(reaction: Reaction) -> None:
    assert await reaction.take({PLACE: [record(0, OTHER), record(1, OTHER)]}) == {PLACE: 2}
