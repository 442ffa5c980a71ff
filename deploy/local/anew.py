"""Publishing the events topics anew: the journals are the history; topics, and what reporting counted, are copies."""

import asyncio
import time
from collections.abc import Collection, Sequence
from typing import Any

from pymongo import MongoClient

from deploy.local.topics import SPEAKERS, Topic, create_topics, delete_topics, existing_topics
from deploy.local.trouble import CannotContinue
from shared.plumbing.audit.trail import LINES
from shared.plumbing.restoring import MARK

KEPT = {LINES, MARK}
"""Collections of reporting that are not counted from topics: who read what, and that a restore did not come through."""
STOPPED_WITHIN_S = 15.0
"""A service that was killed holds its lease for ten more seconds."""
GONE_WITHIN_S = 60.0


async def publish_anew(kafka: str, mongo: str, topics: Sequence[Topic], database_prefix: str) -> None:
    """Make `topics` anew, empty; at the next start speakers say all of their journals, reporting counts all.

    They are the journaled ones, as they shall be. Every service must be stopped. May be repeated after it died: until
    it is through, services refuse to start. Raises CannotContinue while a service runs, or when Kafka refuses.
    """
    await asyncio.to_thread(refuse_while_running, mongo, database_prefix)
    await made_anew(kafka, topics)
    await asyncio.to_thread(_forget, mongo, database_prefix)


async def made_anew(kafka: str, topics: Sequence[Topic]) -> None:
    """Delete topics with all their records and create them again. Raises CannotContinue when Kafka refuses."""
    await delete_topics(kafka, [topic.name for topic in topics])
    deadline = time.monotonic() + GONE_WITHIN_S
    while left := await existing_topics(kafka, topics):
        if time.monotonic() > deadline:
            raise CannotContinue(f"Kafka still has {', '.join(sorted(left))} after {GONE_WITHIN_S:.0f} s: try again.")
        await asyncio.sleep(0.2)
    await create_topics(kafka, list(topics))


def refuse_while_running(mongo: str, prefix: str, services: Collection[str] = SPEAKERS) -> None:
    """Raise CannotContinue when a service still relays after a while: each does as long as it runs (blocking)."""
    with MongoClient[dict[str, Any]](mongo) as client:
        deadline = time.monotonic() + STOPPED_WITHIN_S
        while True:
            now = client.admin.command("hello")["localTime"]
            held = {"_id": "relay", "until": {"$gt": now}}
            running = [name for name in services if client[f"{prefix}{name}"]["leases"].find_one(held)]
            if not running:
                return
            if time.monotonic() > deadline:
                raise CannotContinue(
                    f"{', '.join(running)} still runs: stop every service first, or what it says meanwhile is lost."
                )
            time.sleep(0.5)


def _forget(mongo: str, prefix: str) -> None:
    """What was sent, what was seen of the topics, and what reporting counted of them (blocking)."""
    with MongoClient[dict[str, Any]](mongo, w="majority", journal=True) as client:
        counted = client[f"{prefix}reporting"]
        for collection in set(counted.list_collection_names()) - KEPT:
            counted.drop_collection(collection)
        for name in SPEAKERS:
            database = client[f"{prefix}{name}"]
            database["relay"].delete_one({"_id": "relay"})
            database["topics"].delete_many({})
