"""A real Kafka and a real MongoDB for the suite: named in the environment, else containers, else our own processes."""

import asyncio
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from deploy.local.mongo import require
from deploy.local.stack import embedded_stack
from deploy.local.topics import Topic, create_topics, delete_topics, plan
from tests.support.containers import containers, engine_answers

FEW_PARTITIONS = 4


@dataclass(frozen=True)
class RealStack:
    """Where Kafka and MongoDB answer, and where they come from; tests cannot tell the difference."""

    kafka: str
    mongo: str
    origin: str


@dataclass(frozen=True)
class Namespace:
    """A corner of the stack that belongs to one test: its topics and databases begin with these."""

    topic_prefix: str
    database_prefix: str
    topics: tuple[Topic, ...]


@asynccontextmanager
async def real_stack() -> AsyncIterator[RealStack]:
    """The stack of ARCHITECTURE's order of choice; one that does not answer is a failure, never a skip."""
    kafka, mongo = os.environ.get("MANYI_TEST_KAFKA"), os.environ.get("MANYI_TEST_MONGO")
    if kafka and mongo:
        await asyncio.to_thread(require, mongo)
        yield RealStack(kafka, mongo, "the environment")
    elif kafka or mongo:
        raise RuntimeError("Set both MANYI_TEST_KAFKA and MANYI_TEST_MONGO, or neither.")
    elif engine_answers():
        async with containers() as (kafka, mongo):
            yield RealStack(kafka, mongo, "containers")
    else:
        folder = Path(tempfile.mkdtemp(prefix="manyi-tests-"))
        try:
            async with embedded_stack(folder) as stack:
                yield RealStack(stack.kafka, stack.mongo, "embedded processes")
        finally:
            shutil.rmtree(folder)


@asynccontextmanager
async def own_namespace(stack: RealStack, partitions: int = FEW_PARTITIONS) -> AsyncIterator[Namespace]:
    """Fresh topics and an unused database prefix; both are gone at the end."""
    name = f"t{secrets.token_hex(4)}-"
    topics = tuple(plan(name, partitions))
    await create_topics(stack.kafka, list(topics))
    try:
        yield Namespace(name, name, topics)
    finally:
        await delete_topics(stack.kafka, [topic.name for topic in topics])
        await asyncio.to_thread(drop_databases, stack.mongo, name)


def drop_databases(mongo: str, prefix: str) -> None:
    """Remove every database whose name begins with `prefix`."""
    with MongoClient[dict[str, Any]](mongo) as client:
        for database in client.list_database_names():
            if database.startswith(prefix):
                client.drop_database(database)
