"""`manyi repartition`: the events topics made anew, with as many partitions as wanted, and filled from the journals."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.lifetime import data_directory
from deploy.cli.screen import ensure_jars, err
from deploy.cli.up import DataOption
from deploy.local.topics import MOST_PARTITIONS


def repartition(
    partitions: Annotated[
        int, typer.Option("--partitions", min=1, max=MOST_PARTITIONS, help="Of each events topic, from now on.")
    ],
    data: DataOption = None,
) -> None:
    """Make the events topics anew from the journals.

    Every service must be stopped. Without --data, Kafka and MongoDB are those of MANYI_KAFKA and MANYI_MONGO, if set.
    """
    if data is None and os.environ.get("MANYI_KAFKA") and os.environ.get("MANYI_MONGO"):
        asyncio.run(_elsewhere(partitions))
    else:
        ensure_jars()
        with data_directory(data, ephemeral=False) as folder:
            asyncio.run(_here(folder, partitions))
    err.print(
        f"The events topics have {partitions} partitions and are empty. Start with MANYI_PARTITIONS={partitions}: the "
        "journals are then published into them, and reporting counts from zero.",
        soft_wrap=True,
    )


async def _here(folder: Path, partitions: int) -> None:
    """On the data of a system of this machine. Raises CannotContinue while that runs, or has never run."""
    from deploy.local.stack import embedded_stack
    from deploy.local.state import exclusive, refuse_without_data

    refuse_without_data(folder)
    with exclusive(folder):
        async with embedded_stack(folder) as stack:
            await _anew(stack.kafka, stack.mongo, partitions)


async def _elsewhere(partitions: int) -> None:
    from deploy.local.mongo import require
    from deploy.local.system import external_addresses

    kafka, mongo = external_addresses()
    await asyncio.to_thread(require, mongo)
    await _anew(kafka, mongo, partitions)


async def _anew(kafka: str, mongo: str, partitions: int) -> None:
    from deploy.local.anew import publish_anew
    from deploy.local.topics import DEFAULT_PREFIX, journaled_topics, plan

    topics = journaled_topics(plan(os.environ.get("MANYI_TOPIC_PREFIX", DEFAULT_PREFIX), partitions))
    await publish_anew(kafka, mongo, topics, os.environ.get("MANYI_DATABASE_PREFIX", DEFAULT_PREFIX))
