"""Bench `query`: every metric, in total and by region, now and as of a past day, beside `$group` over the facts."""

import asyncio
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from deploy.bench.events import FIRST_DAY
from deploy.bench.ground import PARTITIONS, Ground, ground, send
from deploy.bench.raw_group import RAW, raw_group
from deploy.bench.report import Line, Report, machine, rounded
from deploy.bench.running import Asking, Running, at_share, running
from deploy.bench.year import LAST_DAY, year
from deploy.cli.screen import err
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


@dataclass(frozen=True)
class Asked:
    """One question, and which of the forms it has."""

    metric: str
    form: str
    params: dict[str, str]


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


async def query(data_dir: Path, seed: int, events: int, rounds: int, only: frozenset[str] | None) -> Report:
    """Grow the facts from size to size and ask all questions `rounds` times at each; `events` counts facts.

    Raises CannotContinue when a metric has no number, is not read from cells, or `$group` finds another.
    """
    unknown = (only or frozenset()) - {PEER}
    if unknown:
        raise CannotContinue(f"There is no peer {min(unknown)!r}: {PEER}.")
    async with ground(data_dir) as place:
        return await measure(place, seed, events, rounds, with_peer=only is None or PEER in only)


async def measure(place: Ground, seed: int, events: int, rounds: int, with_peer: bool = True) -> Report:
    """On ground that stands."""
    found: dict[int, tuple[Taken, Taken]] = {}
    async with running(place, "query", {"reporting": 1}) as service:
        written, before = 0, 0
        for size in sizes(events):
            err.print(f"  counting up to {size:,} facts …")
            began = time.monotonic()
            written += await asyncio.to_thread(send, place, year(before, size, seed))
            await service.until_counted(written)
            err.print(f"  {written:,} events counted, {time.monotonic() - began:.0f} s; asking …")
            before = size
            found[size] = await asyncio.to_thread(_ask, service, rounds, with_peer, size == events)
            err.print(f"  asked; slowest: {found[size][0].slowest()}")
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
            "events": written,
            "partitions": PARTITIONS,
            "by": BY,
            "slowest": found[events][0].slowest(),
        },
        goals=("p99 ≤ 20 ms", "at most 1.5 × of a tenth and of a hundredth of the facts"),
        machine=machine(**place.versions),
    )


def _ask(service: Running, rounds: int, with_peer: bool, complete: bool) -> tuple[Taken, Taken]:
    asking = Asking(service.address("reporting"))
    ours, peer = Taken({}), Taken({})
    try:
        listed = asking.get("/v1/metrics", {})[1]["metrics"]
        everything = list(questions([metric["metric"] for metric in listed]))
        answers = {asked: _answer(asking, asked)[1] for asked in map(_key, everything)}
        empty = {metric for (metric, _), answer in answers.items() if not answer["total"]["n"]}
        if complete and empty:
            raise CannotContinue(f"Nothing is counted by {', '.join(sorted(empty))}: the facts are too few.")
        for _ in range(rounds):
            for asked in everything:
                seconds, _ = _answer(asking, _key(asked))
                ours.seconds.setdefault((asked.metric, asked.form), []).append(seconds)
    finally:
        asking.close()
    for asked in everything if with_peer else ():
        if asked.metric not in RAW:
            continue
        for _ in range(PEER_ROUNDS):
            seconds, counts = raw_group(service.database("reporting"), asked.metric, asked.params)
            peer.seconds.setdefault((asked.metric, asked.form), []).append(seconds)
        if counts != (ours_counted := _counts(answers[_key(asked)])):
            raise CannotContinue(f"{asked} counts {ours_counted}, but $group over the facts {counts}.")
    return ours, peer


def _key(asked: Asked) -> tuple[str, tuple[tuple[str, str], ...]]:
    return asked.metric, tuple(asked.params.items())


def _answer(asking: Asking, asked: tuple[str, tuple[tuple[str, str], ...]]) -> tuple[float, dict[str, Any]]:
    metric, params = asked
    seconds, answer = asking.get(f"/v1/metrics/{metric}", dict(params))
    if answer["source"] != "cells":
        raise CannotContinue(f"{metric} {dict(params)} is not answered from cells.")
    return seconds, answer


def _counts(answer: dict[str, Any]) -> dict[str, int]:
    """n of every group, else of the total."""
    if answer["groups"]:
        return {group["dims"][BY]: group["n"] for group in answer["groups"]}
    return {"": answer["total"]["n"]}


def _lines(found: dict[int, tuple[Taken, Taken]]) -> Iterator[Line]:
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
