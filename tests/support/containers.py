"""Kafka and MongoDB as containers, where a Docker engine answers."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deploy.local import kafka, mongo
from deploy.local.jars import KAFKA_VERSION
from deploy.local.ports import LOOPBACK, free_ports
from tests.support.eventually import eventually

KAFKA_IMAGE = f"apache/kafka:{KAFKA_VERSION}"
MONGO_IMAGE = "mongo:8.0"
START_WITHIN = 120.0


def engine_answers() -> bool:
    """Whether a Docker engine is there to ask; the mere `docker` program proves nothing."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    asked = [docker, "version", "--format", "{{.Server.Version}}"]
    return subprocess.run(asked, capture_output=True, timeout=30, check=False).returncode == 0


@asynccontextmanager
async def containers() -> AsyncIterator[tuple[str, str]]:
    """Addresses of a Kafka and a MongoDB in containers, both ready, both removed at the end.

    Each listens on the same port inside as outside, because both tell clients (and themselves) where they are.
    """
    from testcontainers.core.container import DockerContainer

    kafka_port, controller_port, mongo_port = free_ports(3)
    broker = DockerContainer(KAFKA_IMAGE).with_bind_ports(kafka_port, kafka_port)
    for name, value in {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": f"1@localhost:{controller_port}",
        "KAFKA_LISTENERS": f"CLIENTS://:{kafka_port},CONTROLLER://:{controller_port}",
        "KAFKA_ADVERTISED_LISTENERS": f"CLIENTS://{LOOPBACK}:{kafka_port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "CLIENTS",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    }.items():
        broker = broker.with_env(name, value)
    command = f"mongod --replSet {mongo.REPLICA_SET} --bind_ip_all --port {mongo_port}"
    database = DockerContainer(MONGO_IMAGE).with_bind_ports(mongo_port, mongo_port).with_command(command)
    with broker, database:
        address = f"{LOOPBACK}:{kafka_port}"
        await eventually(lambda: kafka.answers(address), START_WITHIN, because="Kafka's container does not answer")
        await eventually(
            lambda: asyncio.to_thread(mongo.is_primary, mongo_port),
            START_WITHIN,
            because="MongoDB's container does not answer",
        )
        yield address, mongo.address_of(mongo_port)
