"""Bench `peers`: each contestant's speed, and beside it what is lost, doubled and wrong after the same kill cycles."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from deploy.bench.contest import Contestant, Measured, run
from deploy.bench.contestants import BATCH, EVENTS, Peer, chosen, ours
from deploy.bench.events import responses
from deploy.bench.exactness import CUTS, Cells, Exactness, copies, counted, exactness, grouped
from deploy.bench.ground import PARTITIONS, Ground, ground, send
from deploy.bench.killing import Survived, kills_of, run_killed
from deploy.bench.reference import expected, subjects
from deploy.bench.report import Line, Report, machine, median
from deploy.cli.screen import err

KILLS = 20
COLUMNS = {
    "events_s": "events/s, left alone",
    "kills": "kills",
    "lost": "documents lost",
    "doubled": "documents doubled",
    "wrong": "wrong cells",
    "seconds": "with the kills, s",
}
SMALL = {"MANYI_BATCH_RECORDS": str(BATCH)}
"""When killed we take no more at once than the others: else we would be done before the kills are."""
ONE_BY_ONE = "FastStream default"
"""Takes a hundred times as long as the others; `projection` has it."""


async def peers(data_dir: Path, seed: int, events: int, rounds: int, only: frozenset[str] | None) -> Report:
    """Everybody over the same events, `rounds` times left alone and once killed again and again."""
    taking_part = [peer for peer in chosen(only) if peer.name != ONE_BY_ONE]
    async with ground(data_dir) as place:
        return await measure(place, seed, events, rounds, taking_part, KILLS)


async def measure(
    place: Ground, seed: int, events: int, rounds: int, taking_part: list[Peer], number_of_kills: int
) -> Report:
    """On ground that stands."""
    err.print(f"  writing {events:,} events …")
    records = [(EVENTS, key, value) for key, value in responses(events, seed)]
    await asyncio.to_thread(send, place, records)
    values = [value for _, _, value in records]
    wanted, known = await asyncio.to_thread(expected, values), subjects(values)
    kills = kills_of(seed, number_of_kills, events)

    def contestants(number: int, told: Mapping[str, str]) -> list[Contestant]:
        return [ours(place, number, told), *(peer.contestant(place, number, natural_ids=False) for peer in taking_part)]

    rates: dict[str, list[Measured]] = {}
    for number in range(rounds):
        for contestant in contestants(number, {}):
            rates.setdefault(contestant.name, []).append(measured := await run(place, contestant, events))
            err.print(f"  {contestant.name}, left alone: {measured.rate:,.0f} events/s")
            contestant.documents.database.client.drop_database(contestant.documents.database)
    lines: list[Line] = []
    for contestant in contestants(rounds, SMALL):
        survived = await run_killed(place, contestant, kills, events)
        found = await _exactness(contestant, place, known, wanted)
        err.print(f"  {contestant.name}: {survived}, {found}")
        contestant.documents.database.client.drop_database(contestant.documents.database)
        lines.append(_line(contestant, rates, survived, found))
    return Report(
        "peers",
        "Speed, and what is wrong after kills",
        f"./manyi bench peers --seed {seed} --events {events} --rounds {rounds}",
        seed,
        COLUMNS,
        "events_s",
        lines,
        {
            "events": events,
            "rounds": rounds,
            "partitions": PARTITIONS,
            "cuts": sum(map(len, CUTS.values())),
            "cells": len(wanted),
        },
        goals=("ahead of each", "nothing lost, doubled or wrong with us"),
        machine=machine(**place.versions),
    )


async def _exactness(contestant: Contestant, place: Ground, known: set[str], wanted: Cells) -> Exactness:
    documents = contestant.documents
    written = await asyncio.to_thread(copies, documents)
    if contestant.keeps_cells:
        return exactness(written, known, await counted(documents, place.mongo, wanted), wanted)
    return exactness(written, known, await asyncio.to_thread(grouped, documents), wanted)


def _line(contestant: Contestant, rates: dict[str, list[Measured]], survived: Survived, found: Exactness) -> Line:
    """One contestant's figures; the first in `rates` is ours."""
    mine, first = rates[contestant.name], next(iter(rates.values()))
    ratio = median([a.rate / b.rate for a, b in zip(first, mine, strict=True)]) if mine is not first else None
    figures = {
        "events_s": median([measured.rate for measured in mine]),
        "kills": survived.kills,
        "lost": found.lost,
        "doubled": found.doubled,
        "wrong": found.wrong,
        "seconds": round(survived.seconds, 1),
    }
    return Line(contestant.name, figures, ratio, contestant.note)
