"""How far every topic is counted: what the speakers' watermarks promise, held against our cursors.

A watermark says: everything recorded through T stands before this offset. Once the cursor has passed the offset, the
partition is counted through T; until then only as far as its last counted event.
"""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from aiokafka import TopicPartition
from pymongo import ReplaceOne

from shared.contracts.envelope import moment_text, parse_moment
from shared.plumbing.cloudevents import Malformed, parse_json
from shared.plumbing.committer import Bounds
from shared.plumbing.database import Database
from shared.plumbing.listening import Batch
from shared.plumbing.store import Cursor
from shared.plumbing.telemetry import logger

NOT_BEGUN = Cursor(0, 0)
KEPT_S = 1.0
"""What was read is good for so long: older watermarks promise less, never too much."""
FURTHEST = 2**62

log = logger("watermarks")


@dataclass(frozen=True)
class Watermark:
    """Everything recorded through `through` stands before offset `end`."""

    through: datetime
    end: int


@dataclass(frozen=True)
class Counted:
    """How far one topic is counted; None: not known, or nothing of it yet."""

    recorded_through: datetime | None
    """Recording time of the last counted event, of the partition where that is earliest."""
    final_through: datetime | None
    """Nothing recorded by then can still appear: promised by watermarks that our cursors have passed."""
    behind: int | None
    """Records not yet counted."""
    set_aside: int | None = None
    """Records passed over that may still be counted, on the days of their recording; None: not looked at."""

    def shown(self) -> dict[str, Any]:
        return {
            "recorded_through": _shown(self.recorded_through),
            "final_through": _shown(self.final_through),
            "behind": self.behind,
            "set_aside": self.set_aside,
        }


def _shown(moment: datetime | None) -> str | None:
    return None if moment is None else moment_text(moment)


class Watermarks:
    """Listens to the watermarks of the topics we count and keeps the latest of each partition."""

    def __init__(self, database: Database, topics: Collection[str], bounds: Bounds) -> None:
        self._kept = database["watermarks"]
        self._topics = frozenset(topics)
        self._bounds = bounds
        self._ends: dict[TopicPartition, int] = {}
        self._read_marks: tuple[float, dict[TopicPartition, Watermark]] = (float("-inf"), {})

    def forget(self) -> None:
        """Nothing is assumed about partitions."""

    async def take(self, batch: Batch) -> dict[TopicPartition, int]:
        """Keep the last watermark of each partition."""
        marks: dict[TopicPartition, Watermark] = {}
        for records in batch.values():
            for record in records:
                mark = await self._read(record.value)
                if mark is not None:
                    marks[mark[0]] = mark[1]
        if marks:
            await self._kept.bulk_write(
                [
                    ReplaceOne({"_id": f"{place.topic}/{place.partition}"}, vars(mark), upsert=True)
                    for place, mark in marks.items()
                ]
            )
        return {place: records[-1].offset + 1 for place, records in batch.items()}

    async def _read(self, value: bytes | None) -> tuple[TopicPartition, Watermark] | None:
        if value is None:
            return None
        try:
            told = parse_json(value)
            place = TopicPartition(told["topic"], int(told["partition"]))
            through, end = parse_moment(told["recordedthrough"]), told.get("offset")
            known = place in self._ends if self._ends else place.topic in self._topics
        except (Malformed, KeyError, TypeError, ValueError) as error:
            # A watermark only ever makes a number final; without it the number stays provisional.
            log.warning("watermark not understood", error=type(error).__name__)
            return None
        if not known:
            return None  # to ask Kafka for the end of a partition that is not there would never end
        if type(end) is not int or not 0 <= end <= FURTHEST:
            # The relay has sent nothing there since it began, or knows not where: all stands before the present end.
            found = await self._bounds([place])
            if place not in found:
                return None
            end = found[place][1]
        return place, Watermark(through, end)

    async def refresh_ends(self, partitions: Callable[[], Collection[TopicPartition]]) -> None:
        """Ask how long the logs are; run now and then."""
        places = partitions()
        if places:
            self._ends = {place: end for place, (_, end) in (await self._bounds(places)).items()}

    async def counted(
        self, cursors: Mapping[TopicPartition, Cursor], aside: Mapping[str, int] | None
    ) -> dict[str, Counted]:
        """How far each topic is counted, by these cursors and with so many records set aside (None: not looked at)."""
        marks = await self._marks()
        return {
            topic: replace(
                counted_of(topic, cursors, marks, self._ends),
                set_aside=None if aside is None else aside.get(topic, 0),
            )
            for topic in sorted(self._topics)
        }

    async def _marks(self) -> Mapping[TopicPartition, Watermark]:
        at, marks = self._read_marks
        if time.monotonic() - at > KEPT_S:
            marks = {}
            async for document in self._kept.find({}):
                topic, _, partition = document["_id"].rpartition("/")
                marks[TopicPartition(topic, int(partition))] = Watermark(document["through"], document["end"])
            self._read_marks = time.monotonic(), marks
        return marks


def counted_of(
    topic: str,
    cursors: Mapping[TopicPartition, Cursor],
    marks: Mapping[TopicPartition, Watermark],
    ends: Mapping[TopicPartition, int],
) -> Counted:
    """How far one topic is counted: as far as its partition that is least so."""
    ends = {place: end for place, end in ends.items() if place.topic == topic}
    places = {place for known in (cursors, marks, ends) for place in known if place.topic == topic}
    recorded = [cursor.recorded for place, cursor in cursors.items() if place.topic == topic and cursor.recorded]
    final: datetime | None = None
    if ends:
        promised = [
            marks[place].through
            for place in places
            if place in marks and cursors.get(place, NOT_BEGUN).next >= marks[place].end
        ]
        final = min(promised) if len(promised) == len(places) else None
    behind = sum(max(0, end - cursors.get(place, NOT_BEGUN).next) for place, end in ends.items())
    return Counted(min(recorded, default=None), final, behind if ends else None)
