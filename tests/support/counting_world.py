"""A world in memory around real batch committers: a log, a database, a consumer group, and processes that can die.

Every process runs the real `Hearing` over the real `BatchCommitter` and stands still before and after each step of its
store, until it may go on, or runs into trouble; or it dies or sleeps there. While a slice is committed the next one is
planned, and slips are posted beside both, so it may stand at several places.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from typing import Any, TypeVar, cast

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from shared.plumbing.committer import BatchCommitter
from shared.plumbing.listening import Hearing, Record
from shared.plumbing.slips import Rules, Slip
from shared.plumbing.store import Cursor, Interrupted, Move, Page, Parked, Writes
from shared.plumbing.store_memory import MemoryStore
from tests.support.gate import Gate, Verdict
from tests.support.patient_loop import PatientLoop
from tests.support.running_tally import COUNTER

TOPIC = "tally-events"
PLACES = (TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1))
SHORT = Rules(small=3, ripe_records=3, many=1, most_records=6, most=3)
"""Few and short slips, so that they are posted again and again."""
T = TypeVar("T")


class Log:
    """What stands on the topic: records at ascending offsets with holes between them."""

    def __init__(self) -> None:
        self.records: dict[TopicPartition, list[Record]] = {place: [] for place in PLACES}
        self.ends: dict[TopicPartition, int] = dict.fromkeys(PLACES, 0)

    def append(self, place: TopicPartition, key: bytes | None, value: bytes | None) -> None:
        self.records[place].append(
            ConsumerRecord(place.topic, place.partition, self.ends[place], 0, 0, key, value, None, 0, 0, ())
        )
        self.ends[place] += 1

    def leave_hole(self, place: TopicPartition) -> None:
        """As a transaction's marker or compaction does."""
        self.ends[place] += 1

    def before(self, place: TopicPartition, offset: int) -> list[Record]:
        return [record for record in self.records[place] if record.offset < offset]


class Group:
    """The broker's side of a consumer group: generation and committed offsets."""

    def __init__(self) -> None:
        self.generation = 0
        self.committed: dict[TopicPartition, int] = {}


class Consumer:
    """As much of a consumer as listening uses. One that missed a rebalance goes on fetching, but cannot commit."""

    def __init__(self, log: Log, group: Group) -> None:
        self._log = log
        self._group = group
        self.generation = -1
        self.position: dict[TopicPartition, int] = {}

    def assign(self, places: Collection[TopicPartition]) -> None:
        self.generation = self._group.generation
        self.position = {place: self._group.committed.get(place, 0) for place in places}

    def assignment(self) -> set[TopicPartition]:
        return set(self.position)

    def seek(self, place: TopicPartition, offset: int) -> None:
        if place not in self.position:
            raise IllegalStateError
        self.position[place] = offset

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        if self.generation != self._group.generation:
            raise CommitFailedError
        self._group.committed.update(offsets)

    def poll(self, most: int) -> list[Record]:
        """At most so many records of each partition."""
        found: list[Record] = []
        for place in sorted(self.position):
            waiting = [record for record in self._log.records[place] if record.offset >= self.position[place]]
            found += waiting[:most]
            if waiting[:most]:
                self.position[place] = waiting[:most][-1].offset + 1
        return found


class SteppedStore:
    """A process's way to the database, through its gate: to the generation that was live when it last claimed."""

    def __init__(self, world: "World", gate: Gate) -> None:
        self._world = world
        self._store = world.store
        self._gate = gate

    async def claim(self, places: Collection[TopicPartition]) -> Mapping[TopicPartition, Cursor]:
        async def claimed() -> Mapping[TopicPartition, Cursor]:
            self._store = self._world.store
            return await self._store.claim(places)

        return await self._step("claim", claimed)

    async def cursors(self) -> Mapping[TopicPartition, Cursor]:
        return await self._step("cursors", lambda: self._world.store.cursors())

    async def pages(self, wanted: Mapping[str, Collection[str]]) -> Mapping[str, dict[str, Page]]:
        return await self._step("pages", lambda: self._store.pages(wanted))

    async def parked(self, wanted: Mapping[str, Collection[str]]) -> Mapping[tuple[str, str, int], Parked]:
        return await self._step("parked", lambda: self._store.parked(wanted))

    async def slips(self, places: Collection[TopicPartition]) -> Mapping[TopicPartition, list[Slip]]:
        return await self._step("slips", lambda: self._store.slips(places))

    async def commit(self, moves: Mapping[TopicPartition, Move], writes: Writes) -> None:
        await self._gate.step("commit", lambda: self._store.commit(moves, writes), ConnectionError, Interrupted)

    async def post(self, writes: Writes) -> None:
        await self._gate.step("post", lambda: self._store.post(writes), ConnectionError, Interrupted)

    async def _step(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        return await self._gate.step(name, work, ConnectionError, ConnectionError)


class Process:
    """One consumer process: hearing, committer, consumer and store of its own."""

    def __init__(self, world: "World", slice_records: int) -> None:
        self._world = world
        self.gate = Gate()
        self.consumer = Consumer(world.log, world.group)
        store = SteppedStore(world, self.gate)
        committer = world.committer(
            COUNTER, store, world.loop, max_dead_letters_in_a_row=10_000, slice_records=slice_records, rules=SHORT
        )
        committer.ask_bounds_of(self._bounds)
        self.committer = committer
        self.hearing = Hearing("tally", [TOPIC], committer, committer.begins)
        self.hearing.attach(lambda: cast("AIOKafkaConsumer", self.consumer), joins_twice=False)
        self.tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def busy(self) -> bool:
        return any(not task.done() for task in self.tasks.values())

    @property
    def posting(self) -> bool:
        return "post" in self.tasks and not self.tasks["post"].done()

    async def _bounds(self, places: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        return {place: (0, self._world.log.ends[place]) for place in places}

    def poll(self, most: int) -> None:
        """Hand one poll over, and run up to the first step of the store."""
        self._begin("batch", self.hearing.hear(self.consumer.poll(most), cast("AIOKafkaConsumer", self.consumer)))

    def look_back(self) -> None:
        """What the service does now and then, up to the first step of the store."""
        self._begin("batch", self.hearing.look_back())

    def post(self) -> None:
        """What the service does beside a batch in hand, up to the first step of the store; as there, it may fail."""

        async def posted() -> None:
            with contextlib.suppress(ConnectionError):
                await self.committer.post()

        self._begin("post", posted())

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        async def to_the_end() -> None:
            try:
                await work
            finally:
                self.gate.moved.set()

        assert name not in self.tasks or self.tasks[name].done()
        self.tasks[name] = self._world.loop.create_task(to_the_end())
        self._settle()

    def step(self, verdict: Verdict = "go", at: str | None = None) -> None:
        """On from one place where it stands, as far as it comes; what it does beside a commit goes first."""
        self.gate.let_go(verdict, at or self.gate.stands[-1])
        self._settle()

    def finish(self) -> None:
        """On to the end without trouble."""
        while self.busy:
            self.step()

    def _settle(self) -> None:
        """Until it stands wherever it comes to stand, or is at its end."""

        async def settled() -> None:
            await self._world.loop.quiet()
            while self.busy and not self.gate.stands:  # it waits for trouble to pass
                self.gate.moved.clear()
                await self.gate.moved.wait()
                await self._world.loop.quiet()

        self._world.run(settled())
        self.end()

    def end(self) -> None:
        """Raise what none of them must ever raise."""
        for task in self.tasks.values():
            if task.done():
                task.result()

    def rejoin(self, places: Collection[TopicPartition]) -> None:
        """Hear of a rebalance, whatever is going on."""
        self._world.run(self.hearing.on_partitions_revoked(sorted(self.consumer.assignment())))
        self.consumer.assign(places)
        self._world.run(self.hearing.on_partitions_assigned(sorted(places)))


class World:
    """One log, one database, one group. `store` is the live generation."""

    def __init__(
        self, store: MemoryStore, log: Log | None = None, committer: type[BatchCommitter] = BatchCommitter
    ) -> None:
        self.loop = PatientLoop()
        self.store = store
        self.log = log or Log()
        self.committer = committer
        self.group = Group()
        self.processes: list[Process] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def start(self, slice_records: int = 4) -> Process:
        self.processes.append(Process(self, slice_records))
        return self.processes[-1]

    def swap(self, store: MemoryStore) -> None:
        """Another generation is live from now on; whoever counts into the former one misses at the next commit."""
        self.run(self.store.claim(PLACES))
        self.store = store

    def count_all(self) -> None:
        """A process of its own, joining alone, counts everything that is left, undisturbed."""
        process = self.start()
        self.group.generation += 1
        process.rejoin(PLACES)
        process.look_back()
        process.finish()
        idle = 0
        while idle < 3:  # a hole is looked at twice before it is believed
            before = dict(process.consumer.position)
            process.poll(100)
            process.finish()
            idle = idle + 1 if process.consumer.position == before else 0

    def close(self) -> None:
        """Nobody goes on who stands still."""
        tasks = [task for process in self.processes for task in process.tasks.values() if not task.done()]
        if tasks:
            for task in tasks:
                task.cancel()
            self.run(asyncio.wait(tasks))
        self.loop.close()
