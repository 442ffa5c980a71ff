"""Bench `projection`: survey responses from Kafka to facts and cells in one reporting process, beside plain writers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bson

from deploy.bench.contest import THROUGHPUT, WARM_UP, WINDOW_S, Contestant, Measured, python, run
from deploy.bench.events import DIMENSIONS, QUESTIONS
from deploy.bench.ground import PARTITIONS, PREFIX, Ground, fill, ground
from deploy.bench.peers.environment import BYTEWAX, QUIX, interpreter
from deploy.bench.report import Line, Report, machine, median
from deploy.local.ports import free_port
from deploy.local.trouble import CannotContinue

EVENTS = "survey-events"
TOPIC = PREFIX + EVENTS
OURS = "Manyi reporting"
FACTS = "standard-1.facts.responses"
SLOW_S = 15.0
SAMPLE = 200
"""Documents compared."""


def ours(place: Ground, number: int) -> Contestant:
    """The service itself, as `manyi up` starts it, on a database of its own."""
    prefix = f"ours{number}-"
    facts = place.client[f"{prefix}reporting"][FACTS]
    return Contestant(
        OURS,
        python("services.reporting"),
        {
            **place.environment,
            "MANYI_DATABASE_PREFIX": prefix,
            "MANYI_PORT": str(free_port()),
            "MANYI_ZONE": "UTC",  # the peers cut days from the text of the times
        },
        facts,
        "facts, changes and cells, exactly once in effect",
    )


@dataclass(frozen=True)
class Peer:
    """A program of `deploy/bench/peers`, and how it is run."""

    name: str
    module: str
    note: str
    requirements: Sequence[str] = ()
    """What it needs beside the standard library; nothing: it runs in our own environment."""
    write: str = ""
    window_s: float = WINDOW_S

    def contestant(self, place: Ground, number: int) -> Contestant:
        """With a database and a group of its own."""
        database = f"{self.module}{self.write}{number}"
        return Contestant(
            self.name,
            python(f"deploy.bench.peers.{self.module}", interpreter(self.requirements) if self.requirements else None),
            {
                "BENCH_KAFKA": place.kafka,
                "BENCH_MONGO": place.mongo,
                "BENCH_TOPIC": TOPIC,
                "BENCH_GROUP": f"{database}-group",
                "BENCH_DATABASE": database,
                "BENCH_WRITE": self.write,
            },
            place.client[database]["responses"],
            self.note,
            self.window_s,
            WARM_UP if self.window_s == WINDOW_S else 0.0,
        )


PEERS = (
    Peer("ceiling", "ceiling", "bare loop and insert_many; doubles on redelivery; no aggregates"),
    Peer("upsert by hand", "upsert", "bulks of replace by id, at least once; no aggregates"),
    Peer("FastStream default", "faststream_default", "one by one; no aggregates", window_s=SLOW_S),
    Peer("Bytewax insert", "bytewax_flow", "doubles on redelivery; no aggregates", BYTEWAX, "insert"),
    Peer("Bytewax replace", "bytewax_flow", "at least once; no aggregates", BYTEWAX, "replace"),
    Peer("Quix Streams", "quix_flow", "its own sink, replace by id, at least once; no aggregates", QUIX),
)


def contestants(place: Ground, number: int, only: frozenset[str] | None) -> list[Contestant]:
    """Who runs in each round; ours first. Raises CannotContinue when `only` names somebody unknown."""
    unknown = (only or frozenset()) - {known.name for known in PEERS}
    if unknown:
        raise CannotContinue(f"There is no peer {min(unknown)!r}: {', '.join(known.name for known in PEERS)}.")
    taking_part = [known for known in PEERS if only is None or known.name in only]
    return [ours(place, number), *(known.contestant(place, number) for known in taking_part)]


async def projection(data_dir: Path, seed: int, events: int, rounds: int, only: frozenset[str] | None) -> Report:
    """Fill the topic once, then let everybody read all of it, in turn, `rounds` times.

    Raises CannotContinue when a contestant ends early or the documents of two differ.
    """
    found: dict[str, list[Measured]] = {}
    notes: dict[str, str] = {}
    async with ground(data_dir) as place:
        fill(place, EVENTS, events, seed)
        for number in range(rounds):
            present = contestants(place, number, only)
            for contestant in present:
                found.setdefault(contestant.name, [])
                notes[contestant.name] = contestant.note
            first = number % len(present)  # nobody has the better place in every round
            for contestant in [*present[first:], *present[:first]]:
                found[contestant.name].append(await run(place, contestant, events))
            compare(present[0], present[1:])
            cells = counted_cells(place, number)
            for database in place.client.list_database_names():
                if database not in ("admin", "config", "local"):
                    place.client.drop_database(database)
        about = machine(**place.versions)
    facts = {
        "events": events,
        "rounds": rounds,
        "dimensions": len(DIMENSIONS),
        "answers": len(QUESTIONS),
        "partitions": PARTITIONS,
        **cells,
    }
    return Report(
        "projection",
        "From Kafka to facts, changes and cells",
        f"./manyi bench projection --seed {seed} --events {events} --rounds {rounds}",
        seed,
        THROUGHPUT,
        "events_s",
        lines_of(found, notes),
        facts,
        goals=("0.8 × ceiling", "4 × upsert by hand", "100 × FastStream default", "1 × each of the others"),
        machine=about,
    )


def compare(ours: Contestant, others: Sequence[Contestant]) -> None:
    """All write the same facts, in documents of about one size, or their rates say nothing. Raises CannotContinue."""
    for other in others:
        for document in other.documents.find().limit(SAMPLE):
            found = ours.documents.find_one({"_id": document["_id"]}) or {}
            sizes = len(bson.encode(found)), len(bson.encode(document))
            if found.get("fact") != document["fact"] or max(sizes) > 1.1 * min(sizes):
                raise CannotContinue(f"{other.name} and {ours.name} wrote {document['_id']} differently.")


def counted_cells(place: Ground, number: int) -> dict[str, int]:
    """How many cells our service keeps after a round, and of how many cuts."""
    database = place.client[f"ours{number}-reporting"]
    cuts = {str(document["_id"]).split("|")[1] for document in database["standard-1.cells"].find({}, {"_id": 1})}
    return {
        "cuts": len(cuts),
        "live_cells": database["standard-1.cells"].estimated_document_count(),
        "dated_cells": database["standard-1.dated"].estimated_document_count(),
    }


def lines_of(found: dict[str, list[Measured]], notes: dict[str, str]) -> list[Line]:
    """Medians of the figures, and of the ratios round by round: the machine's speed drifts."""
    first = next(iter(found.values()))
    lines = []
    for name, runs in found.items():
        figures = [measured.figures() for measured in runs]
        ratio = median([a.rate / b.rate for a, b in zip(first, runs, strict=True)]) if runs is not first else None
        medians = {column: median([figure[column] for figure in figures]) for column in THROUGHPUT}
        lines.append(Line(name, medians, ratio, notes[name]))
    return lines
