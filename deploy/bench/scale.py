"""Bench `scale`: the same backlog counted by 1, 2 and 4 reporting processes; what docs/scaling.md is reckoned from."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient

from deploy.bench.contest import THROUGHPUT, WARM_UP, Measured, busy_seconds, cpu_of, resident_mb_of
from deploy.bench.events import responses
from deploy.bench.ground import PARTITIONS, Ground, Record, ground, send
from deploy.bench.report import Line, Report, machine, median
from deploy.bench.running import STANDING, Running, running
from deploy.cli.screen import err
from deploy.local.topics import create_topics, delete_topics, plan
from deploy.local.trouble import CannotContinue

PROCESSES = (1, 2, 4)
PRIMER = 240
"""Events that are counted before the backlog comes: by then every process has connections and code warm."""
SHARED_OUT_WITHIN_S = 120.0


async def scale(data_dir: Path, seed: int, events: int, rounds: int, only: frozenset[str] | None) -> Report:
    """Let each number of processes count the same `events`, in turn, `rounds` times.

    Raises CannotContinue when nothing moves any more.
    """
    if only:
        raise CannotContinue("This bench has no peers: leave --only out.")
    async with ground(data_dir) as place:
        return await measure(place, seed, events, rounds)


async def measure(
    place: Ground,
    seed: int,
    events: int,
    rounds: int,
    processes: Sequence[int] = PROCESSES,
    partitions: int = PARTITIONS,
) -> Report:
    """On ground that stands."""
    err.print(f"  making {events:,} events …")
    records: list[Record] = [("survey-events", key, value) for key, value in responses(events + PRIMER, seed)]
    found: dict[int, list[Measured]] = {count: [] for count in processes}
    for number in range(rounds):
        first = number % len(processes)  # nobody has the better place in every round
        for count in [*processes[first:], *processes[:first]]:
            name = f"scale{number}x{count}"
            async with fresh(place, name, partitions) as own, running(own, name, {"reporting": count}) as service:
                found[count].append(measured := await counted(service, records))
            err.print(f"  round {number + 1}, {count} processes: {measured.rate:,.0f} events/s")
    lines: list[Line] = []
    for count, runs in found.items():
        figures = [measured.figures() for measured in runs]
        medians = {column: median([figure[column] for figure in figures]) for column in THROUGHPUT}
        ratio = median([one.rate / it.rate for one, it in zip(found[processes[0]], runs, strict=True)])
        lines.append(Line(f"{count} reporting", medians, ratio if lines else None))
    return Report(
        "scale",
        "Several reporting processes",
        f"./manyi bench scale --seed {seed} --events {events} --rounds {rounds}",
        seed,
        THROUGHPUT,
        "events_s",
        lines,
        {"events": events, "rounds": rounds, "partitions": partitions},
        goals=("stated, with the measured bend; see [scaling](scaling.md)",),
        machine=machine(**place.versions),
    )


@asynccontextmanager
async def fresh(place: Ground, name: str, partitions: int) -> AsyncIterator[Ground]:
    """The same ground with empty topics of another prefix; they and the databases are gone afterwards."""
    own = replace(place, prefix=f"{place.prefix}{name}-")
    topics = [topic for topic in plan(own.prefix, partitions) if not topic.name.endswith("-intake")]
    await create_topics(own.kafka, topics)
    try:
        yield own
    finally:
        await delete_topics(own.kafka, [topic.name for topic in topics])
        for database in own.client.list_database_names():
            if database.startswith(own.prefix):
                own.client.drop_database(database)
        own.client.close()


async def counted(service: Running, records: Sequence[Record]) -> Measured:
    """Prime the processes, then give them everything and look on. Raises CannotContinue when nothing moves."""
    place = service.place
    await shared_out(service)
    await asyncio.to_thread(send, place, records[:PRIMER])
    await service.until_counted(PRIMER)
    sending = asyncio.create_task(asyncio.to_thread(send, place, records[PRIMER:]))
    await service.until_counted(PRIMER + int((len(records) - PRIMER) * WARM_UP))
    done, began = service.counted(), time.monotonic()
    before, busy = _cpu(service), busy_seconds()
    await service.until_counted(len(records))
    seconds, after = time.monotonic() - began, _cpu(service)
    await sending
    spent = {name: after[name] - before[name] for name in after}
    rest = max(0.0, busy_seconds() - busy - sum(spent.values()))
    resident = sum(resident_mb_of(pid) for pid in service.pids("reporting"))
    return Measured(max(1, len(records) - done), seconds, spent, resident, rest / seconds / machine()["processors"])


async def shared_out(service: Running) -> None:
    """Wait until every process has partitions: a rebalance would be measured, too. Raises CannotContinue."""
    group, processes = f"{service.place.prefix}reporting-{STANDING}", len(service.instances["reporting"])
    admin = AdminClient({"bootstrap.servers": service.place.kafka})
    deadline = time.monotonic() + SHARED_OUT_WITHIN_S
    while True:
        told = await asyncio.to_thread(admin.describe_consumer_groups([group])[group].result)
        working = [member for member in told.members if member.assignment.topic_partitions]
        if told.state is ConsumerGroupState.STABLE and len(working) == processes:
            return
        if time.monotonic() > deadline:
            raise CannotContinue(
                f"{len(working)} of {processes} processes have partitions, group {group}: {told.state}."
            )
        await asyncio.sleep(0.2)


def _cpu(service: Running) -> dict[str, float]:
    """Processor seconds so far; of Kafka and mongod only where they are ours."""
    known = service.place.pids()
    found = {name: cpu_of(known[name]) if name in known else 0.0 for name in ("mongo", "kafka")}
    return {"worker": sum(cpu_of(pid) for pid in service.pids("reporting")), **found}
