"""Bench `query`: every metric, in total and by region, now and as of a past day, beside `$group` over the facts."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

from deploy.bench.events import FIRST_DAY
from deploy.bench.ground import NEEDED_BYTES, PARTITIONS, Ground, ground, send
from deploy.bench.raw_group import RAW, raw_group
from deploy.bench.report import Line, Report, machine, rounded
from deploy.bench.running import Asking, Running, at_share, running
from deploy.bench.year import LAST_DAY, year
from deploy.cli.screen import err
from deploy.local.topics import create_topics, plan
from deploy.local.trouble import CannotContinue

SMALLEST = 100_000
OURS, PEER = "Manyi", "$group over raw facts"
BY = "region"
YEAR = {"from": FIRST_DAY.date().isoformat(), "to": LAST_DAY.date().isoformat()}
QUARTER = {"from": "2025-07-01", "to": "2025-10-01"}
"""For what is told between two days: at the beginning of the year nobody has bought anything yet."""
DAYS = {
    "now": None,
    "week_ago": (LAST_DAY - timedelta(days=8)).date().isoformat(),
    "half_year_ago": (LAST_DAY - timedelta(days=183)).date().isoformat(),
}
FORMS = {f"{cut}_{day}": f"{cut}, {day.replace('_', ' ')}" for day in DAYS for cut in ("total", "by")}
COLUMNS = {"p50_ms": "p50, ms", "p99_ms": "p99, ms", **{f: f"p99 {told}, ms" for f, told in FORMS.items()}}
PEER_ROUNDS = 2
BYTES_A_FACT = 3_000
"""On disk, in Kafka and in mongod with its oplog."""


@dataclass(frozen=True)
class Asked:
    """One question, and which of the forms it has."""

    metric: str
    form: str
    params: Mapping[str, str] = field(hash=False)


def questions(metrics: Sequence[str]) -> Iterator[Asked]:
    """Every metric in every form."""
    for metric in metrics:
        for day, as_of in DAYS.items():
            params = dict(QUARTER if metric.endswith("churn") else YEAR)
            if as_of is not None:
                params["as_of"] = as_of
            yield Asked(metric, f"total_{day}", params)
            yield Asked(metric, f"by_{day}", {**params, "by": BY})


def sizes(events: int) -> list[int]:
    """Tenfold steps up to `events`, from a hundred thousand on where there are so many."""
    found = [events]
    while len(found) < 2 or found[0] // 10 >= SMALLEST:
        found.insert(0, max(1, found[0] // 10))
    return found


@dataclass
class Taken:
    """Seconds of every answer, by question."""

    seconds: dict[tuple[str, str], list[float]]

    def add(self, asked: Asked, seconds: float) -> None:
        """One answer more."""
        self.seconds.setdefault((asked.metric, asked.form), []).append(seconds)

    def figures(self, of: Collection[str] | None = None) -> dict[str, float]:
        """Columns of a line, over all metrics or some."""
        chosen = {key: taken for key, taken in self.seconds.items() if of is None or key[0] in of}
        everything = [one for taken in chosen.values() for one in taken]
        forms = {form: [one for (_, told), taken in chosen.items() if told == form for one in taken] for form in FORMS}
        return {
            "p50_ms": at_share(everything, 0.5),
            "p99_ms": at_share(everything, 0.99),
            **{form: at_share(taken, 0.99) for form, taken in forms.items()},
        }

    def slowest(self) -> str:
        """The question with the highest median."""
        metric, form = max(self.seconds, key=lambda key: at_share(self.seconds[key], 0.5))
        return f"{metric} {FORMS[form]}, p50 {at_share(self.seconds[metric, form], 0.5):.1f} ms"


Found: TypeAlias = dict[int, tuple[Taken, Taken]]
"""Facts → our answers and the peer's."""


async def query(data_dir: Path, seed: int, events: int, rounds: int, only: frozenset[str] | None) -> Report:
    """Count a year of facts of each size, then ask of each in turn, `rounds` times; `events` are facts.

    Raises CannotContinue when a metric has no number, is not read from cells, or `$group` finds another.
    """
    unknown = (only or frozenset()) - {PEER}
    if unknown:
        raise CannotContinue(f"There is no peer {min(unknown)!r}: {PEER}.")
    needed = max(NEEDED_BYTES, events * BYTES_A_FACT)
    async with ground(data_dir, needed_bytes=needed) as place:
        return await measure(place, seed, events, rounds, with_peer=only is None or PEER in only)


async def measure(place: Ground, seed: int, events: int, rounds: int, with_peer: bool = True) -> Report:
    """On ground that stands."""
    async with AsyncExitStack() as services:
        stocks = {size: await services.enter_async_context(_counted(place, seed, size)) for size in sizes(events)}
        err.print("  asking …")
        found = await asyncio.to_thread(_ask_all, stocks, rounds, with_peer)
    return Report(
        "query",
        "Numbers asked over HTTP, one after another",
        f"./manyi bench query --seed {seed} --events {events} --rounds {rounds}",
        seed,
        COLUMNS,
        "p99_ms",
        list(_lines(found)),
        {
            "facts": events,
            "rounds": rounds,
            "partitions": PARTITIONS,
            "by": BY,
            "slowest": found[events][0].slowest(),
        },
        goals=("p99 ≤ 20 ms", "at most 1.5 × of a tenth and of a hundredth of the facts"),
        machine=machine(**place.versions),
    )


@asynccontextmanager
async def _counted(place: Ground, seed: int, size: int) -> AsyncIterator[Running]:
    """An installation of its own whose year has so many facts, all of them counted."""
    own = replace(place, prefix=f"{place.prefix}{size}-")
    await create_topics(own.kafka, plan(own.prefix, PARTITIONS))
    with closing(own.client):
        async with running(own, "query", {"reporting": 1}) as service:
            err.print(f"  counting {size:,} facts …")
            began = time.monotonic()
            written = await asyncio.to_thread(send, own, year(size, seed))
            await service.until_counted(written)
            err.print(f"  {written:,} events counted, {time.monotonic() - began:.0f} s")
            yield service


def _ask_all(stocks: Mapping[int, Running], rounds: int, with_peer: bool) -> Found:
    """Ask every size in turn, so that whatever else the machine does meets all of them alike."""
    found: Found = {size: (Taken({}), Taken({})) for size in stocks}
    with ExitStack() as connections:
        asking = {
            size: connections.enter_context(closing(Asking(stock.address("reporting"))))
            for size, stock in stocks.items()
        }
        listed = asking[max(stocks)].get("/v1/metrics", {})[1]["metrics"]
        everything = list(questions([metric["metric"] for metric in listed]))
        answers = {size: {asked: _answer(asking[size], asked)[1] for asked in everything} for size in stocks}
        empty = {asked.metric for asked, answer in answers[max(stocks)].items() if not answer["total"]["n"]}
        if empty:
            raise CannotContinue(f"Nothing is counted by {', '.join(sorted(empty))}: the facts are too few.")
        for _ in range(rounds):
            for asked in everything:
                for size in stocks:
                    found[size][0].add(asked, _answer(asking[size], asked)[0])
    for size, stock in stocks.items() if with_peer else ():
        for asked in everything:
            if asked.metric not in RAW:
                continue
            for _ in range(PEER_ROUNDS):
                seconds, counts = raw_group(stock.database("reporting"), asked.metric, asked.params)
                found[size][1].add(asked, seconds)
            if counts != (ours := _counts(answers[size][asked])):
                raise CannotContinue(f"{asked} counts {ours}, but $group over the facts {counts}.")
    return found


def _answer(asking: Asking, asked: Asked) -> tuple[float, dict[str, Any]]:
    seconds, answer = asking.get(f"/v1/metrics/{asked.metric}", asked.params)
    if answer["source"] != "cells":
        raise CannotContinue(f"{asked} is not answered from cells.")
    return seconds, answer


def _counts(answer: dict[str, Any]) -> dict[str, int]:
    """n of every group, else of the total."""
    if answer["groups"]:
        return {group["dims"][BY]: group["n"] for group in answer["groups"]}
    return {"": answer["total"]["n"]}


def _lines(found: Found) -> Iterator[Line]:
    """Ours at the largest size first; a ratio compares the same questions."""
    largest = max(found)
    ours = found[largest][0]
    yield Line(f"{OURS}, {largest:,} facts", ours.figures())
    for size in sorted(found, reverse=True):
        mine, peer = found[size]
        if size != largest:
            figures = mine.figures()
            yield Line(f"{OURS}, {size:,} facts", figures, rounded(ours.figures()["p99_ms"] / figures["p99_ms"]))
        if peer.seconds:
            figures, same = peer.figures(), mine.figures(RAW)["p99_ms"]
            note = f"{', '.join(RAW)}; ours over the same: {same:.3g} ms"
            yield Line(f"{PEER}, {size:,}", figures, rounded(same / figures["p99_ms"]), note)
