"""Bench `api`: durable commands over HTTP into one service process, beside a bare FastAPI with one insert."""

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

from deploy.bench.contest import THROUGHPUT, Contestant, Measured, python, run
from deploy.bench.ground import PARTITIONS, Ground, ground
from deploy.bench.report import Line, Report, machine, median
from deploy.local.places import ROOT
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.topics import create_topics, plan
from deploy.local.trouble import CannotContinue

CONNECTIONS = 64
OURS = "Manyi feedback"
COLUMNS = {"events_s": "commands/s", "p50_ms": "p50, ms", "p99_ms": "p99, ms"} | {
    name: heading.replace("event", "command") for name, heading in THROUGHPUT.items() if name != "events_s"
}


def contestants(place: Ground, number: int) -> list[tuple[Contestant, str]]:
    """Who runs in each round, and where it listens; ours first."""
    ports = free_port(), free_port()
    prefix, bare = f"api{number}-", f"bare{number}"
    ours = Contestant(
        OURS,
        python("services.feedback"),
        {**place.environment, "MANYI_DATABASE_PREFIX": prefix, "MANYI_PORT": str(ports[0])},
        place.client[f"{prefix}feedback"]["cases"],
        "state, journal and event on Kafka; text sealed",
    )
    peer = Contestant(
        "FastAPI + insert_one",
        python("deploy.bench.peers.bare_api"),
        {"BENCH_MONGO": place.mongo, "BENCH_DATABASE": bare, "BENCH_PORT": str(ports[1])},
        place.client[bare]["responses"],
        "one document, no event",
    )
    return [(ours, f"http://{LOOPBACK}:{ports[0]}"), (peer, f"http://{LOOPBACK}:{ports[1]}")]


async def api(data_dir: Path, seed: int, events: int, rounds: int, only: frozenset[str] | None) -> Report:
    """Send `events` commands to each, in turn, `rounds` times. Raises CannotContinue when one is not recorded."""
    found: dict[str, list[tuple[Measured, dict[str, float]]]] = {}
    notes: dict[str, str] = {}
    async with ground(data_dir) as place:
        for number in range(rounds):
            # Topics of its own for each round: on those of a former one a service without its journal refuses to speak.
            own = replace(place, prefix=f"{place.prefix}api{number}-")
            await create_topics(own.kafka, plan(own.prefix, PARTITIONS))
            present = [one for one in contestants(own, number) if only is None or one[0].name in {OURS, *only}]
            for contestant, _ in present:
                found.setdefault(contestant.name, [])
                notes[contestant.name] = contestant.note
            first = number % len(present)  # nobody has the better place in every round
            for contestant, url in [*present[first:], *present[:first]]:
                found[contestant.name].append(await _under_load(own, contestant, url, events))
        about = machine(**place.versions)
    return Report(
        "api",
        "Durable commands over HTTP, one process",
        f"./manyi bench api --events {events} --rounds {rounds}",
        seed,
        COLUMNS,
        "events_s",
        _lines(found, notes),
        {"commands": events, "rounds": rounds, "connections": CONNECTIONS},
        goals=("≥ 1,500 commands/s", "≥ 1.0 × FastAPI + insert_one (at least 0.7 ×)"),
        machine=about,
    )


async def _under_load(
    place: Ground, contestant: Contestant, url: str, commands: int
) -> tuple[Measured, dict[str, float]]:
    load = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "deploy.bench.firing", url, str(CONNECTIONS), str(commands)),
        env={"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        # The last ones are left out: they are answered before they are counted, and by then the load thins out.
        measured, (told, trouble) = await asyncio.gather(
            run(place, contestant, commands - CONNECTIONS, load), load.communicate()
        )
    finally:
        if load.returncode is None:
            load.kill()
            await load.wait()
    if load.returncode:
        raise CannotContinue(f"{contestant.name} did not record every command: {trouble.decode().strip()}")
    return measured, json.loads(told)


def _lines(found: dict[str, list[tuple[Measured, dict[str, float]]]], notes: dict[str, str]) -> list[Line]:
    """Medians of the figures, and of the ratios round by round: the machine's speed drifts."""
    first = next(iter(found.values()))
    lines = []
    for name, runs in found.items():
        figures = [measured.figures() | latencies for measured, latencies in runs]
        pairs = zip(first, runs, strict=True)
        ratio = median([ours.rate / it.rate for (ours, _), (it, _) in pairs]) if runs is not first else None
        medians = {column: median([figure[column] for figure in figures]) for column in COLUMNS}
        lines.append(Line(name, medians, ratio, notes[name]))
    return lines
