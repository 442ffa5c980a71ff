"""When a number as of a day is final."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from services.reporting.views.metric_numbers import provisional
from services.reporting.watermarks import Watermark, Watermarks, counted_of
from shared.plumbing.database import Database
from shared.plumbing.store import Cursor
from tests.support.telling import letter

TOPIC = "manyi-survey-events"
MARKS = TopicPartition("manyi-watermarks", 0)
FIRST, SECOND = TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)
ZONE = ZoneInfo("Asia/Shanghai")


def at(day: int, hour: int) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def test_a_day_is_final_once_every_partition_is_counted_beyond_its_end() -> None:
    marks = {FIRST: Watermark(at(11, 9), 5), SECOND: Watermark(at(11, 8), 0)}
    cursors = {FIRST: Cursor(5, 1, at(10, 3))}
    counted = counted_of(TOPIC, cursors, marks, {FIRST: 5, SECOND: 0})
    assert (counted.recorded_through, counted.final_through, counted.behind) == (at(10, 3), at(11, 8), 0)
    clear = replace(counted, set_aside=0)
    assert not provisional("2026-03-10", {TOPIC: clear}, ZONE)
    assert provisional("2026-03-11", {TOPIC: clear}, ZONE)
    assert provisional(None, {TOPIC: clear}, ZONE)


def test_the_day_ends_at_midnight_of_the_installation() -> None:
    for hour, still_open in ((15, True), (16, False)):
        marks = {FIRST: Watermark(at(10, hour), 0)}
        counted = replace(counted_of(TOPIC, {}, marks, {FIRST: 0}), set_aside=0)
        assert provisional("2026-03-10", {TOPIC: counted}, ZONE) is still_open


def test_a_watermark_counts_only_once_the_cursor_has_passed_it() -> None:
    marks = {FIRST: Watermark(at(11, 9), 5)}
    counted = counted_of(TOPIC, {FIRST: Cursor(4, 1, at(10, 3))}, marks, {FIRST: 7})
    assert (counted.final_through, counted.behind) == (None, 3)


def test_a_partition_nobody_vouches_for_keeps_everything_provisional() -> None:
    marks = {FIRST: Watermark(at(11, 9), 0)}
    assert counted_of(TOPIC, {}, marks, {FIRST: 0, SECOND: 0}).final_through is None
    assert counted_of(TOPIC, {}, marks, {}).final_through is None


def test_what_is_set_aside_keeps_everything_provisional() -> None:
    counted = counted_of(TOPIC, {}, {FIRST: Watermark(at(11, 9), 0)}, {FIRST: 0})
    aside = {count: replace(counted, set_aside=count) for count in (0, 1, None)}
    assert {count: provisional("2026-03-10", {TOPIC: one}, ZONE) for count, one in aside.items()} == {
        0: False,
        1: True,
        None: True,
    }


def test_while_only_other_topics_are_known_nothing_is_final() -> None:
    """How many partitions a topic has is known from its ends alone: one may be lacking here."""
    marks, elsewhere = {FIRST: Watermark(at(11, 9), 0)}, {TopicPartition("manyi-feedback-events", 0): 0}
    counted = counted_of(TOPIC, {FIRST: Cursor(1, 1, at(10, 3))}, marks, elsewhere)
    assert (counted.final_through, counted.behind) == (None, None)


async def test_a_watermark_that_cannot_be_holds_up_no_other() -> None:
    async def bounds(places: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        if not {*places} <= {FIRST}:
            raise KafkaError("there is no such partition")
        return dict.fromkeys(places, (0, 7))

    kept: list[Any] = []

    class Kept:
        async def bulk_write(self, operations: list[Any]) -> None:
            kept.extend(operations)

    database = cast("Database", {"watermarks": Kept()})
    watermarks = Watermarks(database, [TOPIC], bounds)
    await watermarks.refresh_ends(lambda: [FIRST])
    odd: list[dict[str, Any]] = [{"partition": 99}, {}, {"partition": -1}, {"topic": [TOPIC]}, {"offset": 2**63}]
    mark = {"topic": TOPIC, "partition": 0, "recordedthrough": "2026-03-11T00:00:00Z"}
    records = [letter(MARKS, offset, {**mark, **one}) for offset, one in enumerate(odd)]
    assert await watermarks.take({MARKS: records}) == {MARKS: 5}
    assert [(one._filter["_id"], one._doc["end"]) for one in kept] == [(f"{TOPIC}/0", 7)]
