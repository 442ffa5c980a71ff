"""A real Apache Kafka on this machine: one KRaft node, broker and controller in one small JVM."""

import asyncio
import base64
import os
import subprocess
import uuid
from pathlib import Path

from deploy.local import classes
from deploy.local.jars import kafka_classpath
from deploy.local.java import Java, find_java
from deploy.local.ports import LOOPBACK
from deploy.local.supervisor import Program
from deploy.local.trouble import CannotContinue

SMALL_JVM = (
    "-Xmx256m",
    "-Xms64m",
    "-XX:TieredStopAtLevel=1",  # quick to start; a broker that must be measured runs without it
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
)
ROOMY_JVM = ("-Xmx1g", "-Xms512m", "-XX:+UseSerialGC", "-XX:-UsePerfData")
"""For measuring: room for the page index and the full compiler, as a server has."""
LOGGING = """\
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = OUT
logger.server.name = kafka.server
logger.server.level = INFO
logger.config.name = org.apache.kafka.common.config
logger.config.level = WARN
logger.configs.name = kafka.server.KafkaConfig
logger.configs.level = WARN
appender.out.type = Console
appender.out.name = OUT
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %-5p %c{1} %m%n
"""


def properties(folder: Path, port: int, controller_port: int) -> str:
    """The node's settings; what is small or single here is so because there is one node, not by taste."""
    settings: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "listeners": f"CLIENTS://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"CLIENTS://{LOOPBACK}:{port}",
        "listener.security.protocol.map": "CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "CLIENTS",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": folder / "log",
        "auto.create.topics.enable": "false",
        "default.replication.factor": 1,
        "min.insync.replicas": 1,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        # Transactions of the dead are looked for every 10 s by default, and hold up whoever reads what they wrote.
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 2,
        # A group of one need not wait for others to join first.
        "group.initial.rebalance.delay.ms": 0,
        # After a crash the node may register again only once its former self has timed out (9 s by default).
        "broker.heartbeat.interval.ms": 500,
        "broker.session.timeout.ms": 3000,
        # Segments are preallocated as index files: 10 MiB each by default, times hundreds of partitions.
        "log.index.size.max.bytes": 1024 * 1024,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def write_configuration(folder: Path, port: int, controller_port: int) -> Path:
    """Write server.properties and the logging configuration into `folder` and return the former's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log4j2.properties").write_text(LOGGING)
    server = folder / "server.properties"
    server.write_text(properties(folder, port, controller_port))
    return server


def format_once(folder: Path, server: Path, java: Java, jars: list[Path]) -> None:
    """Give the node its identity and empty storage, unless it has them; raises CannotContinue when Kafka refuses."""
    if (folder / "log" / "meta.properties").exists():
        return
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
    while cluster.startswith("-"):  # the tool would take it for an option
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
    jvm = (*SMALL_JVM, *classes.used(java, jars))
    tool = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(server)]
    command = [*java_command(folder, java, jars, jvm), *tool]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if answer.returncode:
        said = (answer.stderr or answer.stdout).strip().splitlines()
        raise CannotContinue(
            f"Kafka could not format its storage in {folder / 'log'}: {said[-1] if said else 'no reason'}"
        )


def java_command(folder: Path, java: Java, jars: list[Path], jvm: tuple[str, ...]) -> list[str]:
    """The JVM with its options and class path, up to where the main class goes."""
    logging = f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}"
    return [str(java.path), *jvm, logging, "-cp", os.pathsep.join(map(str, jars))]


async def answers(address: str) -> bool:
    """Whether the broker serves: a node that listens but has not joined its own cluster does not count."""
    import aiokafka.errors
    from aiokafka.admin import AIOKafkaAdminClient

    host, port = address.rsplit(":", 1)
    try:
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
        await writer.wait_closed()
        admin = AIOKafkaAdminClient(bootstrap_servers=address, request_timeout_ms=2000)
        try:
            await admin.start()
            return bool((await admin.describe_cluster())["brokers"])
        finally:
            await admin.close()
    except (OSError, aiokafka.errors.KafkaError):
        return False


def prepare(folder: Path, port: int, controller_port: int, jvm: tuple[str, ...] = SMALL_JVM) -> list[str]:
    """Everything before the start (blocking: seconds the first time); returns the command that runs the broker."""
    jars = kafka_classpath()
    java = find_java()
    server = write_configuration(folder, port, controller_port)
    format_once(folder, server, java, jars)
    jvm = (*jvm, *(classes.used(java, jars) or classes.kept(java, jars)))
    return [*java_command(folder, java, jars, jvm), "kafka.Kafka", str(server)]


def program(command: list[str], address: str, log: Path) -> Program:
    """The broker as the supervisor keeps it; that it ends with 143 is how a JVM says that it obeyed SIGTERM."""
    return Program("kafka", command, log, ready=lambda: answers(address))
