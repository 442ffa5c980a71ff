"""Playing a tape: generate, produce, and follow what becomes of it."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.tapes.addresses import topic_prefix
from deploy.tapes.errors import TapeError
from deploy.tapes.events import Event, Playing, Unmapped
from deploy.tapes.intake_writer import IntakeWriter
from deploy.tapes.receipts import Counts, Intake, Receipts, total
from deploy.tapes.tape import load_tape

if TYPE_CHECKING:
    from rich.progress import Progress


@dataclass(frozen=True)
class Reject:
    """A row that did not get in, and why; without an id it was not even sent."""

    file: str
    row_number: int
    type: str
    id: str
    reason: str


@dataclass
class Outcome:
    """What became of one playing of a tape. `counts` is empty when no service was asked."""

    tape: str
    title: str
    sent: Counter[str] = field(default_factory=Counter)
    counts: Counts = field(default_factory=dict)
    unmapped: int = 0
    rejects: list[Reject] = field(default_factory=list)
    seconds: float = 0.0
    """Time of generating and producing, until Kafka had acknowledged everything."""

    @property
    def under_way(self) -> int:
        """How many of the events sent have no outcome yet."""
        return max(self.sent.total() - total(self.counts), 0)

    @property
    def rejected(self) -> int:
        """Events refused by a service, and rows that could not be mapped."""
        return self.unmapped + sum(outcomes["rejected"] for outcomes in self.counts.values())


@dataclass(frozen=True)
class Manner:
    """How a tape is played. `speed` = event-seconds per second (None: as fast as it goes); `times` and `shuffle`
    (a seed) send each record that often, in any order: for trying out that the numbers do not change."""

    speed: float | None = None
    times: int = 1
    shuffle: int | None = None
    compression: str = "lz4"

    def __post_init__(self) -> None:
        if self.speed is not None and self.speed <= 0:
            raise TapeError("the speed must be above 0: so many seconds of the tape in one second")
        if self.speed is not None and self.shuffle is not None:
            raise TapeError("a tape is either shuffled or played at a speed, not both")


def play(
    tape_name: str,
    *,
    kafka: str,
    services: Mapping[str, str],
    processes: Mapping[str, str] | None = None,
    wait: bool = True,
    progress: "Progress | None" = None,
    folder: Path | None = None,
    manner: Manner | None = None,
) -> Outcome:
    """Play a tape by name (or by path). With `wait`, return when all is taken in and reporting has caught up.

    `services` names the base URL of each service; empty means that nobody is asked what became of the events.
    `processes` names those of every process where a service has several: each knows only what itself has in hand.
    Raises TapeError when the tape, its data, Kafka or a service cannot be used; nothing is sent twice by a retry.
    """
    tape = load_tape(tape_name, folder)
    playing = Playing(tape)
    topics = sorted({rule.topic for rule in tape.rules})
    outcome, show, manner = Outcome(tape.name, tape.title), _Bars(progress, tape.name), manner or Manner()
    if not services:
        _produce(playing, topics, kafka, manner, outcome, show)
        return outcome
    with Intake(services, topics, tape.sources, processes=processes) as intake:
        before = intake.receipts_patiently()
        _produce(playing, topics, kafka, manner, outcome, show)
        if wait:
            sent = outcome.sent.total()
            intake.wait_taken_in(before, sent, show.bar("taken in", sent))
            intake.wait_counted(show.countdown("counted"))
        after = intake.receipts_patiently()
    outcome.counts = after.since(before)
    outcome.rejects += _traced(playing, after, outcome)
    return outcome


def _produce(playing: Playing, topics: list[str], kafka: str, manner: Manner, outcome: Outcome, show: "_Bars") -> None:
    begun = time.monotonic()
    with IntakeWriter(kafka, topic_prefix(), topics, manner.compression) as writer:
        for event in _arranged(playing, manner, outcome, show):
            writer.send(event)
            outcome.sent[event.body["type"]] += 1
    outcome.seconds = time.monotonic() - begun


def paced(
    events: Iterable[Event],
    speed: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Event]:
    """The events in the order of their times, let go at `speed` event-seconds per second."""
    ordered = sorted(events, key=lambda event: event.time)
    begun = clock()
    for event in ordered:
        due = begun + (event.time - ordered[0].time).total_seconds() / speed
        if (ahead := due - clock()) > 0:
            sleep(ahead)
        yield event


def _arranged(playing: Playing, manner: Manner, outcome: Outcome, show: "_Bars") -> Iterator[Event]:
    """The tape's events in the manner asked for. Only when the order changes are all of them held in memory."""
    note = _noted(outcome)
    if manner.speed is None and manner.shuffle is None:
        advance = show.steps("sent", playing.rows_about())
        for event in playing.events(note, advance):
            for _ in range(manner.times):
                yield event
        show.finish()
        return
    events = [event for event in playing.events(note) for _ in range(manner.times)]
    if manner.shuffle is not None:
        random.Random(manner.shuffle).shuffle(events)  # noqa: S311 - an order for trials, nothing secret
    advance = show.steps("sent", len(events))
    for event in paced(events, manner.speed) if manner.speed is not None else events:
        yield event
        advance(1)
    show.finish()


_MOST_REJECTS = 10_000


def _noted(outcome: Outcome) -> Callable[[Unmapped], None]:
    def note(row: Unmapped) -> None:
        outcome.unmapped += 1
        if len(outcome.rejects) < _MOST_REJECTS:
            outcome.rejects.append(Reject(row.file, row.row_number, row.type, "", row.reason))

    return note


def _traced(playing: Playing, after: Receipts, outcome: Outcome) -> list[Reject]:
    """The rows of the events that services refused. The tape is generated again: a tape always says the same."""
    if not any(outcomes["rejected"] for outcomes in outcome.counts.values()):
        return []
    found = []
    for event in playing.events():
        body = event.body
        if reason := after.rejects.get((body["source"], body["id"])):
            found.append(Reject(event.file, event.row_number, body["type"], body["id"], reason))
    return found


class _Bars:
    """The progress bars of one tape, or nothing where nobody looks."""

    def __init__(self, progress: "Progress | None", name: str) -> None:
        self._progress = progress
        self._name = name
        self._finish: Callable[[], None] = lambda: None

    def steps(self, what: str, most: int) -> Callable[[int], None]:
        """A bar that is moved on by so many; `finish` fills it up (the total was an estimate)."""
        if (progress := self._progress) is None:
            return lambda _: None
        task = progress.add_task(f"{self._name}: {what}", total=most)
        self._finish = lambda: progress.update(task, completed=most)
        return lambda steps: progress.advance(task, steps)

    def finish(self) -> None:
        self._finish()

    def bar(self, what: str, most: int) -> Callable[[int], None]:
        """A bar that is set to a number."""
        if (progress := self._progress) is None:
            return lambda _: None
        task = progress.add_task(f"{self._name}: {what}", total=most)
        return lambda done: progress.update(task, completed=done)

    def countdown(self, what: str) -> Callable[[int], None]:
        """A bar for what is left: its total is the most that was ever left."""
        if (progress := self._progress) is None:
            return lambda _: None
        task = progress.add_task(f"{self._name}: {what}", total=None)
        most = 1

        def update(left: int) -> None:
            nonlocal most
            most = max(most, left)
            progress.update(task, total=most, completed=most - left)

        return update
