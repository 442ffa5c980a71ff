"""Bench `projection`: survey responses from Kafka to facts and cells in one reporting process, beside plain writers."""

from collections.abc import Sequence
from pathlib import Path

import bson

from deploy.bench.contest import THROUGHPUT, Contestant, Measured, run
from deploy.bench.contestants import EVENTS, chosen, ours
from deploy.bench.events import DIMENSIONS, QUESTIONS
from deploy.bench.ground import PARTITIONS, fill, ground
from deploy.bench.report import Line, Report, machine, median
from deploy.local.trouble import CannotContinue

SAMPLE = 200
"""Documents compared."""


async def projection(data_dir: Path, seed: int, events: int, rounds: int, only: frozenset[str] | None) -> Report:
    """Fill the topic once, then let everybody read all of it, in turn, `rounds` times.

    Raises CannotContinue when a contestant ends early or the documents of two differ.
    """
    found: dict[str, list[Measured]] = {}
    notes: dict[str, str] = {}
    taking_part = chosen(only)
    async with ground(data_dir) as place:
        fill(place, EVENTS, events, seed)
        for number in range(rounds):
            present = [ours(place, number), *(peer.contestant(place, number) for peer in taking_part)]
            for contestant in present:
                found.setdefault(contestant.name, [])
                notes[contestant.name] = contestant.note
            first = number % len(present)  # nobody has the better place in every round
            for contestant in [*present[first:], *present[:first]]:
                found[contestant.name].append(await run(place, contestant, events))
            compare(present[0], present[1:])
            cells = counted_cells(present[0])
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


def counted_cells(ours: Contestant) -> dict[str, int]:
    """How many cells our service keeps after a round, and of how many cuts."""
    database = ours.documents.database
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
