"""The whole system on this machine: Kafka and mongod side by side, then the topics, then the services side by side."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from deploy.local import mongo
from deploy.local.places import ROOT
from deploy.local.ports import LOOPBACK, claimed, free_ports
from deploy.local.stack import prepare_brokers
from deploy.local.state import ProcessState, SystemState, ensure_keys, exclusive
from deploy.local.supervisor import Program, Supervisor
from deploy.local.topics import create_topics, plan_from_environment
from deploy.local.trouble import CannotContinue

PREFERRED_PORTS = {"customer": 8101, "survey": 8102, "feedback": 8103, "reporting": 8104}
READY_WITHIN = 90.0


@dataclass(frozen=True)
class System:
    """A running system: where it listens, and the supervisor that keeps it."""

    data_dir: Path
    kafka: str
    mongo: str
    services: dict[str, str]
    """Each service's address: that of its first process."""
    instances: dict[str, dict[str, str]]
    """Service → its processes by name → where each listens."""
    supervisor: Supervisor


def require_service(name: str) -> None:
    """Raise CannotContinue when there is no such service to start."""
    if not (ROOT / "services" / name / "__main__.py").exists():
        raise CannotContinue(
            f"There is no service {name!r} to start: services/{name}/__main__.py is missing "
            f"(services are {', '.join(PREFERRED_PORTS)})."
        )


def external_addresses() -> tuple[str, str]:
    """The Kafka and MongoDB named by MANYI_KAFKA and MANYI_MONGO; raises CannotContinue when one is not."""
    kafka, mongo_url = os.environ.get("MANYI_KAFKA"), os.environ.get("MANYI_MONGO")
    if not kafka or not mongo_url:
        raise CannotContinue(
            "--external needs both addresses in the environment, for example MANYI_KAFKA=127.0.0.1:9092 "
            f"MANYI_MONGO='{mongo.address_of(27017)}'."
        )
    return kafka, mongo_url


def process_names(service: str, count: int) -> list[str]:
    """What the processes of one service are called; the first as the service itself."""
    return [service, *(f"{service}-{number}" for number in range(2, count + 1))]


def addresses_of(names: tuple[str, ...], scale: Mapping[str, int], usual: Collection[str]) -> dict[str, dict[str, str]]:
    """A free address for every process; the first one of those services that are in `usual` has its usual port."""
    processes = {name: process_names(name, scale.get(name, 1)) for name in names}
    free = iter(free_ports(sum(map(len, processes.values()))))
    ports = {process: next(free) for group in processes.values() for process in group}
    ports |= {name: PREFERRED_PORTS[name] for name in usual}
    return {name: {one: f"http://{LOOPBACK}:{ports[one]}" for one in group} for name, group in processes.items()}


async def is_ready(url: str) -> bool:
    """Whether the service at `url` answers 200 at /readyz."""
    import httpx

    try:
        async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
            return (await client.get(f"{url}/readyz")).status_code == 200
    except httpx.HTTPError:
        return False


def service_program(
    service: str, process: str, url: str, stack: dict[str, str], logs: Path, needs: tuple[str, ...]
) -> Program:
    """One process of a service as the supervisor keeps it; it drains its work within 15 s when told to stop."""
    own = {"MANYI_HOST": LOOPBACK, "MANYI_PORT": url.rpartition(":")[2], "MANYI_INSTANCE": process}
    return Program(
        process,
        [sys.executable, "-P", "-m", f"services.{service}"],
        logs / f"{process}.log",
        ready=partial(is_ready, url),
        needs=needs,
        environment={**stack, **own, "PYTHONPATH": str(ROOT)},
    )


@asynccontextmanager
async def whole_system(
    data_dir: Path,
    external: bool = False,
    names: tuple[str, ...] = tuple(PREFERRED_PORTS),
    on_change: Callable[[Supervisor], None] = lambda _: None,
    scale: Mapping[str, int] = MappingProxyType({}),
    settings: Mapping[str, str] = MappingProxyType({}),
    mongod: tuple[str, ...] = (),
) -> AsyncIterator[System]:
    """Everything, ready; stopped at the end in reverse order. `on_change` hears of every start, readiness and death.

    `scale` says of which services more than one process runs, and how many; `settings` are further
    variables of their environment, `mongod` further options of the database.
    Raises CannotContinue when the directory is in use, something is missing or does not become ready.
    """
    for name in names:
        require_service(name)
    with exclusive(data_dir), ExitStack() as claims:
        topics = plan_from_environment()
        programs: list[Program] = []
        if external:
            kafka, mongo_url = external_addresses()
            await asyncio.to_thread(mongo.require, mongo_url)
            await create_topics(kafka, topics)
        else:
            brokers = await asyncio.to_thread(prepare_brokers, data_dir, mongod)
            kafka, mongo_url = brokers.kafka, brokers.mongo
            broker, database = brokers.programs

            async def make_topics() -> None:
                await create_topics(kafka, topics)

            programs += [replace(broker, once_ready=make_topics), database]
        needs = tuple(program.name for program in programs)
        usual = [name for name in names if claims.enter_context(claimed(PREFERRED_PORTS[name]))]
        instances = addresses_of(names, scale, usual)
        stack = {"MANYI_KAFKA": kafka, "MANYI_MONGO": mongo_url, "MANYI_KEYS_FILE": str(ensure_keys(data_dir))}
        stack.update(settings)
        programs += [
            service_program(name, process, url, stack, data_dir / "logs", needs)
            for name, processes in instances.items()
            for process, url in processes.items()
        ]
        urls = {name: processes[name] for name, processes in instances.items()}

        def write_state() -> None:
            processes = {
                program.name: ProcessState(
                    supervisor.pid(program.name),
                    supervisor.is_ready(program.name),
                    supervisor.starts(program.name),
                    str(program.log),
                )
                for program in programs
            }
            SystemState(os.getpid(), str(data_dir), kafka, mongo_url, urls, instances, processes).write()
            on_change(supervisor)

        supervisor = Supervisor(programs, write_state)
        await supervisor.start(READY_WITHIN)
        try:
            yield System(data_dir, kafka, mongo_url, urls, instances, supervisor)
        finally:
            await supervisor.stop()
