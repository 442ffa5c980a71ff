"""When a number as of a day is final."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from aiokafka import TopicPartition

from services.reporting.views.metric_numbers import provisional
from services.reporting.watermarks import Watermark, counted_of
from shared.plumbing.store import Cursor

TOPIC = "manyi-survey-events"
FIRST, SECOND = TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)
ZONE = ZoneInfo("Asia/Shanghai")


def at(day: int, hour: int) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def test_a_day_is_final_once_every_partition_is_counted_beyond_its_end() -> None:
    marks = {FIRST: Watermark(at(11, 9), 5), SECOND: Watermark(at(11, 8), 0)}
    cursors = {FIRST: Cursor(5, 1, at(10, 3))}
    counted = counted_of(TOPIC, cursors, marks, {FIRST: 5, SECOND: 0})
    assert (counted.recorded_through, counted.final_through, counted.behind) == (at(10, 3), at(11, 8), 0)
    assert not provisional("2026-03-10", {TOPIC: counted}, ZONE)
    assert provisional("2026-03-11", {TOPIC: counted}, ZONE)
    assert provisional(None, {TOPIC: counted}, ZONE)


def test_the_day_ends_at_midnight_of_the_installation() -> None:
    for hour, still_open in ((15, True), (16, False)):
        marks = {FIRST: Watermark(at(10, hour), 0)}
        assert provisional("2026-03-10", {TOPIC: counted_of(TOPIC, {}, marks, {FIRST: 0})}, ZONE) is still_open


def test_a_watermark_counts_only_once_the_cursor_has_passed_it() -> None:
    marks = {FIRST: Watermark(at(11, 9), 5)}
    counted = counted_of(TOPIC, {FIRST: Cursor(4, 1, at(10, 3))}, marks, {FIRST: 7})
    assert (counted.final_through, counted.behind) == (None, 3)


def test_a_partition_nobody_vouches_for_keeps_everything_provisional() -> None:
    marks = {FIRST: Watermark(at(11, 9), 0)}
    assert counted_of(TOPIC, {}, marks, {FIRST: 0, SECOND: 0}).final_through is None
    assert counted_of(TOPIC, {}, marks, {}).final_through is None
