"""Whether a topic's log is still the one that was counted so far."""

from aiokafka import TopicPartition

from shared.plumbing.store import Cursor


class LogBroken(Exception):
    """Topic and cursor do not fit together; going on would count wrongly. The message says what to do."""


def check_cursor(place: TopicPartition, cursor: Cursor, start: int, end: int) -> None:
    """Raise LogBroken when a log that begins at `start` and ends before `end` is not the one counted so far."""
    name = f"{place.topic}/{place.partition}"
    if cursor.next < start:
        raise LogBroken(
            f"{name} begins at offset {start}, but only {cursor.next} records of it are counted: what lies between is "
            "gone (retention). Set the topic's retention to unlimited, republish the journal and rebuild: "
            "see docs/runbook.md"
        )
    if cursor.next > end:
        raise LogBroken(
            f"{name} ends at offset {end}, but it is counted up to {cursor.next}: the topic was made anew or restored "
            "from a backup. Restore the matching topic, or rebuild the projections from zero: see docs/runbook.md"
        )
