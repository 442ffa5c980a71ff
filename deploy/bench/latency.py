"""Bench `latency`: from publishing an event until `/v1/metrics` counts it and `/v1/stream` tells of it, under load."""

import asyncio
import http.client
import itertools
import json
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from deploy.bench.events import response
from deploy.bench.ground import PARTITIONS, Ground, Record, ground, producer, send
from deploy.bench.report import Line, Report, machine, median
from deploy.bench.running import Asking, Running, at_share, running
from deploy.bench.year import complaint
from deploy.cli.screen import err
from deploy.local.trouble import CannotContinue

RATE = 1_000
"""Events a second of the load."""
PROBES_S = 20
LINGER_MS = 2
ASK_AGAIN_S = 0.004
SEEN_WITHIN_S = 120.0
METRIC = "complaints_opened"
USUAL, HALF = f"{RATE:,} events/s", "half of its maximum"
CUSTOMER = "0" * 32
"""All probes are in one partition, so they become visible in the order in which they were sent."""
FACTS = "cases"
"""What `METRIC` counts; only probes are among them, each by one event."""
COLUMNS = {
    "events_s": "offered, events/s",
    "metrics_p50_ms": "in /v1/metrics p50, ms",
    "metrics_p99_ms": "p99, ms",
    "stream_p50_ms": "on /v1/stream p50, ms",
    "stream_p99_ms": "p99, ms ",
}
Waited: TypeAlias = tuple[list[float], list[float]]
"""Seconds from sending each probe until the metric counted it, and until the stream told of it."""


@dataclass
class Watch:
    """When each probe was sent, counted and told of: three threads write one list each.

    The n-th of them is visible once n are counted, or told of: of many at once the stream names only the first.
    """

    channel: str
    sent: list[float] = field(default_factory=list)
    counted: list[float] = field(default_factory=list)
    told: list[float] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def ask(self, url: str) -> None:
        """Ask again and again how many probes are counted."""
        asking = Asking(url)
        try:
            while not self.over.is_set():
                _, answer = asking.get(f"/v1/metrics/{METRIC}", {"where.channel": self.channel})
                now = time.monotonic()
                self.counted += [now] * (answer["total"]["n"] - len(self.counted))
                self.over.wait(ASK_AGAIN_S)
        finally:
            asking.close()

    def listen(self, url: str, begun: threading.Event) -> None:
        """Hear of what changes until it is over."""
        place = urlsplit(url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=SEEN_WITHIN_S)
        try:
            connection.request("GET", f"/v1/stream?metric={METRIC}")
            answer = connection.getresponse()
            while not self.over.is_set() and (line := answer.readline()):
                if line.startswith(b"event: begin"):
                    begun.set()
                self.hear(line, time.monotonic())
        finally:
            connection.close()

    def hear(self, line: bytes, now: float) -> None:
        """One line of the stream."""
        if line.startswith(b"data: ") and (facts := json.loads(line[6:]).get("facts")):
            self.told += [now] * facts[FACTS]["count"]

    @property
    def complete(self) -> bool:
        return min(len(self.counted), len(self.told)) >= len(self.sent)

    def waited(self) -> Waited:
        """Of all probes."""
        metric, stream = (
            [at - sent for sent, at in zip(self.sent, seen, strict=False)] for seen in (self.counted, self.told)
        )
        return metric, stream


def load(count: int, seed: int, made: Iterator[int]) -> list[Record]:
    """Responses as if given just now, made beforehand: making them must not hold up sending them."""
    now = datetime.now(UTC)
    return [("survey-events", *response(seed, number, now)) for number in itertools.islice(made, count)]


def offer(service: Running, watch: Watch, records: list[Record], rate: float) -> None:
    """Send the records at a steady rate (blocking), and among them the probes."""
    writer, prefix = producer(service.place, LINGER_MS), service.place.prefix
    chance = random.Random(watch.channel)  # noqa: S311 - reproducible, not secret
    began, probes = time.monotonic(), itertools.count(1)
    due = next(probes) / PROBES_S
    for number, (topic, key, value) in enumerate(records):
        while (early := began + number / rate - time.monotonic()) > 0:
            writer.poll(min(early, 0.001))
        if number / rate >= due:
            due = next(probes) / PROBES_S
            name = f"{watch.channel}-{len(watch.sent)}"
            probe = complaint(chance, name, CUSTOMER, datetime.now(UTC), watch.channel)
            watch.sent.append(time.monotonic())
            writer.produce(f"{prefix}feedback-events", probe[1], probe[0])
        writer.produce(prefix + topic, value, key)
    writer.flush()


async def stretch(service: Running, records: list[Record], rate: float, name: str) -> Waited:
    """Offer one stretch of load and return how long its probes took. Raises CannotContinue when one stays unseen."""
    watch, begun, url = Watch(name), threading.Event(), service.address("reporting")
    listening = asyncio.create_task(asyncio.to_thread(watch.listen, url, begun))
    asking = asyncio.create_task(asyncio.to_thread(watch.ask, url))
    try:
        if not await asyncio.to_thread(begun.wait, SEEN_WITHIN_S):
            raise CannotContinue("/v1/stream does not begin; the service's log is beside the data.")
        await asyncio.to_thread(offer, service, watch, records, rate)
        deadline = time.monotonic() + SEEN_WITHIN_S
        while not watch.complete:
            if time.monotonic() > deadline or asking.done():
                seen = f"{len(watch.counted)} counted and {len(watch.told)} told of {len(watch.sent)} probes"
                raise CannotContinue(f"{seen} within {SEEN_WITHIN_S:.0f} s at {rate:,.0f} events/s.")
            await asyncio.sleep(0.05)
    finally:
        watch.over.set()
        # The listener leaves at the next line; a probe's is the last, so one more event makes it come.
        await asyncio.to_thread(send, service.place, _farewell(name))
        await asyncio.gather(listening, asking)
    return watch.waited()


def _farewell(name: str) -> Iterator[Record]:
    chance = random.Random(f"{name} over")  # noqa: S311 - reproducible, not secret
    yield ("feedback-events", *complaint(chance, f"{name}-over", CUSTOMER, datetime.now(UTC), "over"))


async def latency(data_dir: Path, seed: int, events: int, rounds: int, only: frozenset[str] | None) -> Report:
    """`events` responses at 1,000 a second, as many at once for the maximum, then for as long at half of that.

    Raises CannotContinue when a probe is not seen within two minutes.
    """
    if only:
        raise CannotContinue("This bench has no peers: leave --only out.")
    async with ground(data_dir) as place:
        return await measure(place, seed, events, rounds)


async def measure(place: Ground, seed: int, events: int, rounds: int) -> Report:
    """On ground that stands."""
    found: dict[str, list[tuple[float, Waited]]] = {USUAL: [], HALF: []}
    most: list[float] = []
    async with running(place, "latency", {"reporting": 1}) as service:
        made = itertools.count()  # no response is made twice
        for number in range(rounds):
            burst = load(events, seed, made)
            already, began = service.counted(), time.monotonic()
            await asyncio.to_thread(send, place, burst)
            most.append(events / (await service.until_counted(already + events) - began))
            err.print(f"  round {number + 1}: at most {most[-1]:,.0f} events/s")
            half = most[-1] / 2
            for name, rate in ((USUAL, RATE), (HALF, half)):
                records = load(int(events * rate / RATE), seed, made)
                waited = await stretch(service, records, rate, f"{name}-{number}")
                found[name].append((rate, waited))
                metric, stream = (at_share(seconds, 0.5) for seconds in waited)
                err.print(f"  {rate:,.0f} events/s: p50 {metric} ms in metrics, {stream} ms on the stream")
    return Report(
        "latency",
        "From publishing to seeing",
        f"./manyi bench latency --seed {seed} --events {events} --rounds {rounds}",
        seed,
        COLUMNS,
        "metrics_p99_ms",
        [Line(f"Manyi, {name}", figures(stretches)) for name, stretches in found.items()],
        {
            "events": events,
            "rounds": rounds,
            "probes": sum(len(waited[0]) for stretches in found.values() for _, waited in stretches),
            "most_events_s": median(most),
            "partitions": PARTITIONS,
        },
        goals=("p50 ≤ 50 ms and p99 ≤ 250 ms at 1,000 events/s", "p99 ≤ 1 s at half of the maximum"),
        machine=machine(**place.versions),
    )


def figures(stretches: list[tuple[float, Waited]]) -> dict[str, float]:
    """Over the probes of all rounds."""
    metric = [one for _, waited in stretches for one in waited[0]]
    stream = [one for _, waited in stretches for one in waited[1]]
    return {
        "events_s": median([rate for rate, _ in stretches]),
        "metrics_p50_ms": at_share(metric, 0.5),
        "metrics_p99_ms": at_share(metric, 0.99),
        "stream_p50_ms": at_share(stream, 0.5),
        "stream_p99_ms": at_share(stream, 0.99),
    }
