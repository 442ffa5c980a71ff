"""The topics of the system, created explicitly: a mistyped name must fail, not make a topic with one partition."""

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from deploy.local.trouble import CannotContinue

SPEAKERS = ("customer", "survey", "feedback", "reporting")
LISTENERS = ("customer", "survey", "feedback")
DEFAULT_PREFIX = "manyi-"
DEFAULT_PARTITIONS = 12
MOST_PARTITIONS = 1_000
"""Of one topic; a typing mistake should not exhaust the broker."""

DAY_MS = 24 * 60 * 60 * 1000
FOR_EVER = "-1"
ONE_MIB = 1024 * 1024
UNKNOWN_TOPIC, TOPIC_EXISTS = 3, 36


@dataclass(frozen=True)
class Topic:
    """A topic as it must be: name, number of partitions and the settings that differ from the broker's."""

    name: str
    partitions: int
    settings: dict[str, str] = field(default_factory=dict)
    any_partitions: bool = False
    """Whether it may have another number of them: nobody relies on the order of what comes in."""


def plan(prefix: str = DEFAULT_PREFIX, partitions: int = DEFAULT_PARTITIONS) -> list[Topic]:
    """Every topic of an installation.

    Events are the history and stay for ever; intake may carry personal data and goes after a week; a dead letter holds
    coordinates only and is kept as long as somebody may still look into it; of watermarks only the latest counts.
    """
    for_ever = {"retention.ms": FOR_EVER, "max.message.bytes": str(ONE_MIB)}
    a_week = {"retention.ms": str(7 * DAY_MS), "max.message.bytes": str(ONE_MIB)}
    return [
        *(Topic(f"{prefix}{speaker}-events", partitions, for_ever) for speaker in SPEAKERS),
        *(Topic(f"{prefix}{listener}-intake", partitions, a_week, any_partitions=True) for listener in LISTENERS),
        Topic(f"{prefix}dead-letters", 1, {"retention.ms": str(30 * DAY_MS)}),
        Topic(f"{prefix}watermarks", 1, {"cleanup.policy": "compact"}),
    ]


def journaled_topics(topics: Iterable[Topic]) -> list[Topic]:
    """Those that are copies of a journal, and what is promised about these copies: of others it would not be true."""
    return [topic for topic in topics if topic.name.endswith(("-events", "watermarks"))]


def plan_from_environment() -> list[Topic]:
    """The plan under MANYI_TOPIC_PREFIX with MANYI_PARTITIONS partitions (fixed at the first start for good)."""
    wanted = os.environ.get("MANYI_PARTITIONS", str(DEFAULT_PARTITIONS))
    if not wanted.isdigit() or int(wanted) < 1:
        raise CannotContinue(f"MANYI_PARTITIONS must be a number from 1 on, not {wanted!r}.")
    return plan(os.environ.get("MANYI_TOPIC_PREFIX", DEFAULT_PREFIX), int(wanted))


def difference(wanted: Iterable[Topic], existing: dict[str, int]) -> str | None:
    """One sentence about topics that exist with another partition count than wanted; None when there are none."""
    known = [topic for topic in wanted if topic.name in existing and not topic.any_partitions]
    found = [topic for topic in known if existing[topic.name] != topic.partitions]
    if not found:
        return None
    first, others = found[0], len(found) - 1
    return (
        f"Topic {first.name}{f' and {others} more' if others else ''} has {existing[first.name]} partitions and "
        f"{first.partitions} are wanted: keys would change their partition and lose their order, so set "
        f"MANYI_PARTITIONS={existing[first.name]}, or run `manyi repartition --partitions {first.partitions}`."
    )


async def create_topics(kafka: str, topics: list[Topic], timeout: float = 30) -> list[str]:
    """Create what is missing and return the names created, once every partition of every topic has a leader.

    Raises CannotContinue when a topic has another partition count, Kafka refuses one, or `timeout` seconds pass.
    """
    from aiokafka.admin import NewTopic

    admin = await _connect(kafka)
    try:
        existing = {name: len(partitions) for name, partitions in (await _describe(admin, topics)).items()}
        if found := difference(topics, existing):
            raise CannotContinue(found)
        missing = [topic for topic in topics if topic.name not in existing]
        if missing:
            copies = min(3, len((await admin.describe_cluster())["brokers"]))
            answer = await admin.create_topics(
                [NewTopic(topic.name, topic.partitions, copies, topic_configs=topic.settings) for topic in missing]
            )
            for name, code, *message in answer.topic_errors:
                if code not in (0, TOPIC_EXISTS):
                    raise CannotContinue(f"Kafka refused to create topic {name} (error {code}: {message}).")
        async with asyncio.timeout(timeout):
            counts = {topic.name: existing.get(topic.name, topic.partitions) for topic in topics}
            while not _all_led(await _describe(admin, topics), counts):  # noqa: ASYNC110 - the broker says it
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise CannotContinue(f"Kafka's topics had no leaders after {timeout:.0f} s: see `manyi logs kafka`.") from error
    finally:
        await admin.close()
    return [topic.name for topic in missing]


async def existing_topics(kafka: str, topics: Iterable[Topic]) -> dict[str, int]:
    """Those of the topics that exist, with their number of partitions."""
    admin = await _connect(kafka)
    try:
        return {name: len(partitions) for name, partitions in (await _describe(admin, topics)).items()}
    finally:
        await admin.close()


async def delete_topics(kafka: str, names: list[str]) -> None:
    """Remove the topics; those that are not there are no error."""
    admin = await _connect(kafka)
    try:
        answer = await admin.delete_topics(names)
    finally:
        await admin.close()
    for name, code in answer.topic_error_codes:
        if code not in (0, UNKNOWN_TOPIC):
            raise CannotContinue(f"Kafka refused to delete topic {name} (error {code}).")


async def _connect(kafka: str) -> Any:
    """An admin client that has spoken with the broker; raises CannotContinue when nobody answers."""
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError

    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    try:
        await admin.start()
    except KafkaError as error:
        await admin.close()
        raise CannotContinue(f"No Kafka answers at {kafka}: start it, or correct MANYI_KAFKA.") from error
    return admin


async def _describe(admin: Any, topics: Iterable[Topic]) -> dict[str, list[dict[str, Any]]]:
    """Partitions of those of the topics that exist."""
    described = await admin.describe_topics([topic.name for topic in topics])
    return {topic["topic"]: topic["partitions"] for topic in described if topic["error_code"] != UNKNOWN_TOPIC}


def _all_led(described: dict[str, list[dict[str, Any]]], counts: dict[str, int]) -> bool:
    return all(
        len(described.get(name, [])) == count
        and all(partition["leader"] >= 0 and partition["error_code"] == 0 for partition in described[name])
        for name, count in counts.items()
    )
