"""Bench `intake`: what another system says, from the intake topic over journal and relay to the cells of reporting."""

import asyncio
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from deploy.bench.contest import cpu_of
from deploy.bench.events import DIMENSIONS, QUESTIONS, choice
from deploy.bench.ground import PARTITIONS, Ground, Record, ground, producer
from deploy.bench.report import Line, Report, machine, median
from deploy.bench.running import Running, running
from deploy.cli.screen import err
from deploy.local.trouble import CannotContinue

OFFERED = 5_000
"""Events a second that must be kept up with."""
TOPIC, EVENTS = "survey-intake", "survey-events"
LOOK_EVERY_S = 0.2
STALLED_S = 120.0
WARM_UP = 0.1
COLUMNS = {
    "events_s": "events/s, intake to cell",
    "journal_s": "into the journal, events/s",
    "growth_s": "lag grows by, events/s",
    "most_lag": "most events under way",
    "drained_s": "counted after the last was sent, s",
    "survey_cpu_s": "CPU-s per million events, survey",
    "reporting_cpu_s": "CPU-s per million, reporting",
    "mongo_cpu_s": "CPU-s per million, mongod",
    "kafka_cpu_s": "CPU-s per million, Kafka",
}


def answered(first: int, last: int, seed: int) -> Iterator[Record]:
    """Completed questionnaires as a foreign system tells of them: 10 answers, 6 dimensions, no two alike."""
    for number in range(first, last):
        chance = random.Random(seed * 1_000_003 + number)  # noqa: S311 - reproducible, not secret
        customer = f"K-{chance.randrange(20_000)}"
        body = {
            "specversion": "1.0",
            "id": f"answered-{number}",
            "source": "bench",
            "type": "survey.answered",
            "time": datetime.now(UTC).isoformat(),
            "data": {
                "response": f"r-{number}",
                "customer": customer,
                "answers": [
                    {"question": name, "metric": metric, "scale": [low, high], "value": chance.randint(low, high)}
                    for name, metric, low, high in QUESTIONS
                ],
                "dims": {name: choice(values, chance) for name, values in DIMENSIONS.items() if name != "source"},
            },
        }
        yield TOPIC, customer.encode(), json.dumps(body).encode()


@dataclass
class Course:
    """How far everything was at each look: seconds, sent, in the journal, counted by reporting."""

    looks: list[tuple[float, int, int, int]] = field(default_factory=list)
    cpu_s: dict[str, float] = field(default_factory=dict)
    """Processor seconds of each process from the first look to the last."""

    @property
    def rate(self) -> float:
        """Counted per second, the first tenth left out."""
        return self._rate(3)

    @property
    def journal_rate(self) -> float:
        return self._rate(2)

    def _rate(self, place: int) -> float:
        total = self.looks[-1][place]
        first = next(look for look in self.looks if look[place] > total * WARM_UP)
        last = next(look for look in self.looks if look[place] >= total)
        if last is first:  # so few that one look saw all of them come
            first = (0.0, 0, 0, 0)
        return (last[place] - first[place]) / (last[0] - first[0])

    @property
    def growth(self) -> float:
        """Slope of what is under way in the second half of the sending, by least squares, events a second."""
        sent = self.looks[-1][1]
        found = [(at, told - counted) for at, told, _, counted in self.looks if sent / 2 <= told < sent]
        if len(found) < 2:
            return 0.0
        middle = sum(at for at, _ in found) / len(found)
        spread = sum((at - middle) ** 2 for at, _ in found)
        return sum((at - middle) * lag for at, lag in found) / spread

    def figures(self) -> dict[str, float]:
        """The columns."""
        all_sent = next(at for at, sent, _, _ in self.looks if sent == self.looks[-1][1])
        return {
            "events_s": self.rate,
            "journal_s": self.journal_rate,
            "growth_s": self.growth,
            "most_lag": max(sent - counted for _, sent, _, counted in self.looks),
            "drained_s": self.looks[-1][0] - all_sent,
            **{f"{name}_cpu_s": 1_000_000 * spent / self.looks[-1][3] for name, spent in self.cpu_s.items()},
        }


class Sending:
    """Sends records in a thread, at a rate or all at once, and knows how many it has sent."""

    def __init__(self, place: Ground, records: list[Record], rate: float | None) -> None:
        self._place, self._records, self._rate = place, records, rate
        self.sent = 0

    def __call__(self) -> None:
        writer, began = producer(self._place), time.monotonic()
        for number, (topic, key, value) in enumerate(self._records):
            while self._rate and (early := began + number / self._rate - time.monotonic()) > 0:
                writer.poll(min(early, 0.005))
            while True:
                try:
                    writer.produce(self._place.prefix + topic, value, key)
                    break
                except BufferError:
                    writer.poll(0.1)
            self.sent = number + 1
        writer.flush()


async def intake(data_dir: Path, seed: int, events: int, rounds: int, only: frozenset[str] | None) -> Report:
    """`events` all at once, and as many at 5,000 a second, `rounds` times.

    Raises CannotContinue when nothing moves any more.
    """
    if only:
        raise CannotContinue("This bench has no peers: leave --only out.")
    async with ground(data_dir) as place:
        return await measure(place, seed, events, rounds)


async def measure(place: Ground, seed: int, events: int, rounds: int) -> Report:
    """On ground that stands."""
    manners: dict[str, float | None] = {f"{OFFERED:,} events/s offered": OFFERED, "all at once": None}
    found: dict[str, list[Course]] = {name: [] for name in manners}
    first = 0
    async with running(place, "intake", {"survey": 1, "reporting": 1}) as services:
        for number in range(rounds):
            for name, rate in manners.items():
                records = list(answered(first, first + events, seed))
                found[name].append(course := await _course(services, records, rate))
                first += events
                err.print(
                    f"  round {number + 1}, {name}: {course.rate:,.0f} events/s, lag {course.growth:+,.0f} a second"
                )
    return Report(
        "intake",
        "From another system's word to the number",
        f"./manyi bench intake --seed {seed} --events {events} --rounds {rounds}",
        seed,
        COLUMNS,
        "events_s",
        [Line(f"Manyi, {name}", _medians(courses)) for name, courses in found.items()],
        {"events": events, "rounds": rounds, "answers": len(QUESTIONS), "partitions": PARTITIONS},
        goals=(f"≥ {OFFERED:,} events/s sustained", "no growth of lag"),
        machine=machine(**place.versions),
    )


async def _course(services: Running, records: list[Record], rate: float | None) -> Course:
    """Send them and look on until all are counted. Raises CannotContinue when nothing moves any more."""
    journal = services.database("survey")["journal"]
    journaled, counted = journal.estimated_document_count(), services.counted(EVENTS)
    sending, course, began = Sending(services.place, records, rate), Course(), time.monotonic()
    before = _spent(services)
    task = asyncio.create_task(asyncio.to_thread(sending))
    moved = began
    while not course.looks or course.looks[-1][3] < len(records):
        now = time.monotonic()
        seen = sending.sent, journal.estimated_document_count() - journaled, services.counted(EVENTS) - counted
        if course.looks and seen != course.looks[-1][1:]:
            moved = now
        elif now - moved > STALLED_S:
            logs = services.place.data_dir / "logs"
            raise CannotContinue(f"Of {len(records)} events {seen[2]} are counted, and nothing moves: see {logs}.")
        course.looks.append((now - began, *seen))
        await asyncio.sleep(LOOK_EVERY_S)
    await task
    course.cpu_s = {name: spent - before[name] for name, spent in _spent(services).items()}
    return course


def _spent(services: Running) -> dict[str, float]:
    """Processor seconds so far, by process; none of brokers that somebody else keeps."""
    brokers = {name: [pid] for name, pid in services.place.pids().items()}
    pids = {name: services.pids(name) for name in services.instances} | {"mongo": [], "kafka": []} | brokers
    return {name: sum(map(cpu_of, of_name)) for name, of_name in pids.items()}


def _medians(courses: list[Course]) -> dict[str, float]:
    figures = [course.figures() for course in courses]
    return {column: median([figure[column] for figure in figures]) for column in COLUMNS}
