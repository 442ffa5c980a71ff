"""The relay against mishaps in any order: it skips nothing of the journal, and no watermark says more than is true."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest
import structlog
from aiokafka.errors import KafkaTimeoutError, RequestTimedOutError
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from shared.contracts.envelope import parse_moment
from shared.plumbing.clock import Clock
from shared.plumbing.publishing import partition_of
from shared.plumbing.relay import Relay
from tests.support.gate import Gate
from tests.support.memory_database import Disk, MemoryDatabase
from tests.support.patient_loop import PatientLoop

EVENTS, LETTERS, MARKS = "events", "letters", "marks"
PARTITIONS = 2
PACKED = 2
"""Records that one pack holds."""
LATEST_S = 179
"""So long after it was decided an event may be committed (see WATERMARK_MARGIN)."""
whos = st.integers(0, 1)


@dataclass(frozen=True)
class ClockAhead:
    """A process's clock that is wrong."""

    right: Clock
    by: timedelta

    def now(self) -> datetime:
        return self.right.now() + self.by


@dataclass(frozen=True)
class Mark:
    """A watermark as it was sent: everything recorded through `through` stands before `end`."""

    partition: int
    through: datetime
    end: int


class Topics:
    """What was acknowledged: keys and values by topic and partition."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, int], list[tuple[str, bytes]]] = {}
        self.marks: list[Mark] = []

    def append(self, topic: str, partition: int, records: list[tuple[bytes, bytes]]) -> SimpleNamespace:
        log = self.records.setdefault((topic, partition), [])
        offset = len(log)
        for key, value in records:
            log.append((key.decode(), value))
            if topic == MARKS:
                told = orjson.loads(value)
                end = told["offset"]
                if end is None:
                    end = len(self.records.get((EVENTS, told["partition"]), []))
                self.marks.append(Mark(told["partition"], parse_moment(told["recordedthrough"]), end))
        return SimpleNamespace(topic=topic, partition=partition, offset=offset)

    def first(self, topic: str, value: bytes) -> int | None:
        """Where a value first stands on its partition."""
        for (named, _), log in self.records.items():
            for offset, (_, standing) in enumerate(log):
                if named == topic and standing == value:
                    return offset
        return None


class Pack:
    """Records on their way to one partition; soon full."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes, bytes]] = []

    def append(self, *, timestamp: None, key: bytes, value: bytes) -> object | None:
        if len(self.records) == PACKED:
            return None
        self.records.append((key, value))
        return self

    def close(self) -> None: ...

    def record_count(self) -> int:
        return len(self.records)


class Producer:
    """Sends through the gate; trouble before: not sent; after: sent, but the acknowledgement is lost."""

    def __init__(self, topics: Topics, gate: Gate) -> None:
        self._topics = topics
        self._gate = gate

    def create_batch(self) -> Pack:
        return Pack()

    async def send(self, topic: str, value: bytes, key: bytes) -> "asyncio.Future[Any]":
        pack = Pack()
        pack.append(timestamp=None, key=key, value=value)
        return await self.send_batch(pack, topic, partition=0)

    async def send_batch(self, pack: Pack, topic: str, *, partition: int) -> "asyncio.Future[Any]":
        async def append() -> SimpleNamespace:
            return self._topics.append(topic, partition, pack.records)

        pending = asyncio.get_running_loop().create_future()
        try:
            pending.set_result(await self._gate.step("send", append, KafkaTimeoutError, RequestTimedOutError))
        except (KafkaTimeoutError, RequestTimedOutError) as error:
            pending.set_exception(error)
            pending.exception()  # whether anybody looks at it is the relay's affair
        return pending

    async def partitions_for(self, _: str) -> set[int]:
        return set(range(PARTITIONS))


class SteppedRelay(Relay):
    """The real relay, with a producer in memory."""

    topics: Topics
    gate: Gate

    @contextlib.asynccontextmanager
    async def _producer(self) -> AsyncIterator[Any]:
        yield Producer(self.topics, self.gate)


class Mishaps(RuleBasedStateMachine):
    """Two instances of one service's relay over one database."""

    relay_class: type[SteppedRelay] = SteppedRelay

    def __init__(self) -> None:
        super().__init__()
        self.loop = PatientLoop()
        self.disk = Disk(self.loop)
        self.topics = Topics()
        self.started: list[SteppedRelay] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.latest: dict[str, datetime] = {}
        self.revisions: dict[str, int] = {}
        self.relays = [self.start(), self.start()]

    def start(self, ahead: timedelta = timedelta()) -> Gate:
        """A new process, its clock so far ahead, running up to its first step."""
        gate = Gate()
        database: Any = MemoryDatabase(self.disk, gate)
        relay = self.relay_class(
            database, database, ClockAhead(self.loop, ahead),
            kafka="", events_topic=EVENTS, dead_letters_topic=LETTERS, watermarks_topic=MARKS, service="test",
        )  # fmt: skip
        relay.topics, relay.gate = self.topics, gate
        self.started.append(relay)
        self.tasks.append(self.loop.create_task(relay.run()))
        self.loop.run_until_complete(gate.moved.wait())
        return gate

    @rule(
        subject=st.sampled_from("abd"), late=st.integers(0, LATEST_S), ahead=st.sampled_from([0, 0, 0, 2 * 24 * 3600])
    )
    def record(self, subject: str, late: int, ahead: int) -> None:
        """A transaction commits; its event was recorded some time earlier, or by a clock that was ahead."""
        moment = self.loop.now() + timedelta(seconds=ahead - late)
        self.latest[subject] = recorded = max(moment, self.latest.get(subject, moment))
        self.revisions[subject] = revision = self.revisions.get(subject, 0) + 1
        name = f"{subject}:{revision}"
        document = {"_id": name, "subject": subject, "revision": revision, "key": subject, "event": name}
        self.disk.insert("journal", {**document, "recorded": recorded})

    @rule(number=st.integers(0, 1_000_000))
    def quarantine(self, number: int) -> None:
        name = f"intake/0/{number}"
        if name not in self.disk.collections.get("quarantine", {}):
            self.disk.insert("quarantine", {"_id": name, "reason": "poison", "received": self.loop.now()})

    @rule(who=whos, steps=st.integers(1, 30))
    def go(self, who: int, steps: int) -> None:
        for _ in range(steps):
            self.let_go(who, trouble=False)

    @rule(who=whos)
    def trouble(self, who: int) -> None:
        """The next step fails, or its answer is lost."""
        self.let_go(who, trouble=True)

    @rule(who=whos, ahead=st.sampled_from([timedelta(), timedelta(days=2)]))
    def die(self, who: int, ahead: timedelta) -> None:
        """kill -9 wherever it stands; its successor's clock may be wrong."""
        self.relays[who] = self.start(ahead)

    @rule(seconds=st.sampled_from([1.0, 4.0, 11.0, 70.0]))
    def wait(self, seconds: float) -> None:
        """Time goes by; leases run out over who sleeps."""
        self.loop.pass_by(seconds)

    @rule(who=whos, steps=st.integers(20, 60), trouble=st.booleans())
    def take_over(self, who: int, steps: int, trouble: bool) -> None:
        """One goes on (through trouble, perhaps) after the lease ran out over the other."""
        self.loop.pass_by(70.0)
        self.let_go(who, trouble)
        self.go(who, steps)

    @rule()
    def forget_history(self) -> None:
        """The oplog rolls over: no token from before can be resumed from."""
        self.disk.forgotten = len(self.disk.inserts)

    def let_go(self, who: int, trouble: bool) -> None:
        gate = self.relays[who]
        gate.let_go("trouble" if trouble else "go")
        self.loop.run_until_complete(gate.moved.wait())

    @invariant()
    def the_token_is_not_ahead_of_the_topic(self) -> None:
        """What stands before the stored token was acknowledged."""
        token = self.disk.collections.get("relay", {}).get("relay", {}).get("token", 0)
        for collection, document, _ in self.disk.inserts[:token]:
            assert self.standing(collection, document) is not None, f"{document['_id']} was skipped"

    def standing(self, collection: str, document: dict[str, Any]) -> int | None:
        if collection == "journal":
            return self.topics.first(EVENTS, document["event"].encode())
        letters = [one for (topic, _), log in self.topics.records.items() if topic == LETTERS for one in log]
        return next((offset for offset, (key, _) in enumerate(letters) if key == document["_id"]), None)

    def teardown(self) -> None:
        """One instance goes on alone until nothing is left: all is on the topic, and no watermark promised too much."""
        try:
            self.loop.pass_by(11.0)
            alone = self.start()
            self.relays[0] = alone
            self.go(0, 40 + 8 * len(self.disk.inserts))
            for collection, document, _ in self.disk.inserts:
                assert self.standing(collection, document) is not None, f"{document['_id']} was lost"
            for mark in self.topics.marks:
                self.check_mark(mark)
        finally:
            for task in self.tasks:
                task.cancel()
            self.loop.run_until_complete(asyncio.wait(self.tasks))
            self.loop.close()

    def check_mark(self, mark: Mark) -> None:
        """Everything recorded by then, whenever it was committed, first stands before the promised end."""
        for document in self.disk.collections.get("journal", {}).values():
            partition = partition_of(document["key"].encode(), PARTITIONS)
            if document["recorded"] <= mark.through and partition == mark.partition:
                offset = self.standing("journal", document)
                assert offset is not None
                assert offset < mark.end, f"{document['_id']} appeared behind a watermark"


CHECKS = settings(
    max_examples=120,
    stateful_step_count=40,
    report_multiple_bugs=False,
)
TRIES = settings(CHECKS, max_examples=400, phases=[Phase.generate], database=None, derandomize=True)


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.plumbing.relay.RESCAN_PAGE", 2)


def test_nothing_is_skipped_under_mishaps_in_any_order() -> None:
    run_state_machine_as_test(Mishaps, settings=CHECKS)


def test_who_stands_by_after_trouble_has_none_any_more() -> None:
    world = Mishaps()
    try:
        world.go(0, 10)
        world.trouble(0)
        former, other = world.started
        assert former.failing is not None
        world.wait(11.0)
        world.go(1, 20)
        assert other.active
        world.go(0, 3)
        assert not former.active
        assert [one.failing for one in world.started] == [None, None]
    finally:
        world.teardown()


class HastyRelay(SteppedRelay):
    """Remembers how far it is before Kafka has acknowledged."""

    async def _send(self, publisher: Any, documents: Any) -> None:
        if documents:
            await self._store(len(cast("Any", self._database).disk.inserts), None)
        await super()._send(publisher, documents)


def test_with_the_token_stored_too_early_it_finds_a_counterexample() -> None:
    class Hasty(Mishaps):
        relay_class = HastyRelay

    with pytest.raises(AssertionError):
        run_state_machine_as_test(Hasty, settings=TRIES)
