"""Kafka and mongod together, without services: what tests and tools need to speak to something real."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local import kafka, mongo
from deploy.local.places import refuse_full_disk
from deploy.local.ports import LOOPBACK, free_ports
from deploy.local.supervisor import Program, Supervisor

READY_WITHIN = 60.0
"""Seconds; a warm start takes about four. More than that only on a machine that is busy with something else."""


@dataclass(frozen=True)
class Stack:
    """Addresses of a running Kafka and MongoDB; `supervisor` where they are our own processes."""

    kafka: str
    mongo: str
    supervisor: Supervisor | None = None


@dataclass(frozen=True)
class Brokers:
    """Kafka and mongod made ready to start: their programs and the addresses they will have."""

    kafka: str
    mongo: str
    programs: tuple[Program, Program]


def prepare_brokers(data_dir: Path, mongod: tuple[str, ...] = ()) -> Brokers:
    """Fetch what is missing, format what is new, choose ports (blocking; seconds, the first time more).

    `mongod` are further options of the database.
    """
    refuse_full_disk(data_dir)
    kafka_port, controller_port, mongo_port = free_ports(3)
    address = f"{LOOPBACK}:{kafka_port}"
    logs = data_dir / "logs"
    return Brokers(
        kafka=address,
        mongo=mongo.address_of(mongo_port),
        programs=(
            kafka.program(kafka.prepare(data_dir / "kafka", kafka_port, controller_port), address, logs / "kafka.log"),
            mongo.program([*mongo.prepare(data_dir / "mongo", mongo_port), *mongod], mongo_port, logs / "mongo.log"),
        ),
    )


@asynccontextmanager
async def embedded_stack(data_dir: Path, on_change: Callable[[], None] = lambda: None) -> AsyncIterator[Stack]:
    """A Kafka and a mongod of our own on free loopback ports, with their data in `data_dir`, stopped at the end.

    What dies in between is started again on the same port and data. Raises CannotContinue when they cannot start.
    """
    brokers = await asyncio.to_thread(prepare_brokers, data_dir)
    supervisor = Supervisor(list(brokers.programs), on_change)
    await supervisor.start(READY_WITHIN)
    try:
        yield Stack(brokers.kafka, brokers.mongo, supervisor)
    finally:
        await supervisor.stop()
