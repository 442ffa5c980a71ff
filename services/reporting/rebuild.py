"""`python -m services.reporting.rebuild [--projection standard@1]`: count anew beside live traffic, then swap.

Says how far it is in lines of JSON: `{"projection", "generation", "done", "total", "live"}` of one set after another,
`live` once it answers; last of all `{"refused": why}` where it could not go on; what answered before then still does.
"""

import argparse
import asyncio
import gc
import json
import socket
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError

from services.reporting.configuration import Definition, definitions
from services.reporting.counting import PORTION, counter_of, shelves_of, topics_of
from services.reporting.metrics.catalogue import catalogue_of
from shared.plumbing import slips
from shared.plumbing.clock import SystemClock
from shared.plumbing.committer import BatchCommitter
from shared.plumbing.database import open_client
from shared.plumbing.generations import Generations, Overtaken
from shared.plumbing.keyring import ServiceSeal
from shared.plumbing.logs import LogBroken
from shared.plumbing.rebuilding import Progress, Rebuild, reading_all
from shared.plumbing.settings import Settings
from shared.plumbing.store_mongo import MongoStore
from shared.plumbing.streak import TooManyDeadLetters
from shared.plumbing.telemetry import configure_logging

TELL_EVERY_S = 0.5
REFUSALS = (Overtaken, LogBroken, TooManyDeadLetters, LookupError, KafkaError, PyMongoError, OSError)


@asynccontextmanager
async def begun(settings: Settings, definition: Definition) -> AsyncIterator[tuple[int, Rebuild]]:
    """A new generation of what is counted by a definition, and how to build it."""
    client = open_client(settings.mongo)
    database = client[f"{settings.database_prefix}reporting"]
    generations = Generations(database, definition.set_name)
    seal = ServiceSeal(settings)
    catalogue = catalogue_of(definition)
    try:
        async with (
            client.start_session() as session,
            reading_all(settings.kafka, topics_of(settings), PORTION.fetch_bytes) as consumer,
        ):
            number = await generations.begin(session)
            store = MongoStore(
                client, database, seal, name=definition.set_name, owner=socket.gethostname(), generation=number
            )
            await store.prepare(shelves_of(catalogue))
            committer = BatchCommitter(
                counter_of(catalogue, settings),
                store,
                SystemClock(),
                max_dead_letters_in_a_row=settings.max_dead_letters_in_a_row,
                rules=slips.NONE,
            )
            yield number, Rebuild(consumer, committer, generations, number, session, PORTION.records)
            await store.close()
    finally:
        await client.close()


async def rebuild(settings: Settings, chosen: Sequence[Definition]) -> None:
    """Rebuild the sets one after another. Raises whatever is in REFUSALS."""
    for definition in chosen:
        async with begun(settings, definition) as (number, building):
            told_at = 0.0

            def tell(progress: Progress, live: bool = False, label: str = definition.label, of: int = number) -> None:
                nonlocal told_at
                if live or time.monotonic() - told_at >= TELL_EVERY_S:
                    told_at = time.monotonic()
                    say(projection=label, generation=of, done=progress.done, total=progress.total, live=live)

            await building.run(tell)
            tell(building.progress, live=True)


def say(**line: Any) -> None:
    """One line for whoever started us."""
    print(json.dumps(line), flush=True)


def main() -> int:
    """Rebuild what the command line names."""
    labels = [definition.label for definition in definitions()]
    arguments = argparse.ArgumentParser(prog="python -m services.reporting.rebuild")
    arguments.add_argument("--projection", help=f"only what is counted by this definition: {', '.join(labels)}")
    projection = arguments.parse_args().projection
    chosen = [definition for definition in definitions() if projection in (None, definition.label)]
    if not chosen:
        say(refused=f"there is no projection {projection!r}; these are counted: {', '.join(labels)}")
        return 1
    settings = Settings()
    configure_logging(settings.log_level, "rebuild")
    try:
        asyncio.run(rebuild(settings, chosen))
    except REFUSALS as refusal:
        say(refused=f"{refusal}")
        return 1
    return 0


if __name__ == "__main__":
    gc.set_threshold(2_000_000, 20, 100)  # as in __main__.py
    sys.exit(main())
