"""One suite for the batch committer, over the store in memory and over the one on MongoDB."""

import secrets
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiokafka import TopicPartition

from services.reporting.configuration import definition_in_force, dimensions
from services.reporting.metrics.catalogue import catalogue_of
from services.reporting.metrics.metric import Window
from services.reporting.numbers import Question, number
from shared.contracts.catalogue import CATALOGUE
from shared.contracts.feedback import CaseClosed, ComplaintOpened
from shared.contracts.survey import Answer, CampaignClosed, SurveyResponded
from shared.plumbing.clock import ManualClock
from shared.plumbing.committer import BatchCommitter
from shared.plumbing.counting import UNPROJECTED, Counter
from shared.plumbing.database import open_client
from shared.plumbing.logs import LogBroken
from shared.plumbing.reading import Reader
from shared.plumbing.sealing import Seal
from shared.plumbing.shelves_mongo import MongoShelves
from shared.plumbing.slips import USUAL, Rules
from shared.plumbing.store import Interrupted, Shelves, Store
from shared.plumbing.store_memory import MemoryStore
from shared.plumbing.store_mongo import MongoStore
from shared.plumbing.streak import TooManyDeadLetters
from tests.support.stack import RealStack
from tests.support.telling import NOON, Teller, letter

pytestmark = pytest.mark.stack

SHORT = Rules(small=1, ripe_records=2)
ZONE = ZoneInfo("Asia/Shanghai")
COUNTED = catalogue_of(definition_in_force(None))
CUTS = dimensions().cuts
COUNTER = Counter(
    Reader([entry.event for entry in CATALOGUE.values()], COUNTED.projections, ZONE), COUNTED.projections, CUTS, ZONE
)
SURVEYS = TopicPartition("manyi-survey-events", 0)
CASES = TopicPartition("manyi-feedback-events", 3)


class World:
    """One database: stores of any number of processes, and what can be read from it."""

    def __init__(self, open_store: Callable[[], Store], shelves: Shelves) -> None:
        self.open_store = open_store
        self.shelves = shelves

    def committer(self, store: Store | None = None, cap: int = 100, rules: Rules = USUAL) -> BatchCommitter:
        """A process of its own."""
        clock = ManualClock(datetime(2026, 6, 1, tzinfo=UTC))
        return BatchCommitter(COUNTER, store or self.open_store(), clock, max_dead_letters_in_a_row=cap, rules=rules)

    async def count(
        self, metric: str = "responses", as_of: str | None = None, window: Window | None = None
    ) -> float | None:
        """A number, which cells and facts must agree on."""
        asked = COUNTED.metrics[metric]
        projection = next(known for known in COUNTED.projections if known.name == asked.projection)
        values = []
        for exact in (False, True):
            async with self.shelves.moment() as moment:
                question = Question(asked, window or Window(), as_of, exact=exact)
                values.append((await number(moment, projection, CUTS, question)).total.value)
        assert values[0] == values[1]
        return values[0]


@pytest.fixture(params=["memory", "mongo"])
async def world(request: pytest.FixtureRequest, stack: RealStack) -> AsyncIterator[World]:
    if request.param == "memory":
        memory = MemoryStore()
        yield World(lambda: memory, memory)
        return
    client = open_client(stack.mongo)
    database = client[f"t{secrets.token_hex(4)}-committer"]
    stores: list[MongoStore] = []

    def open_store() -> MongoStore:
        stores.append(MongoStore(client, database, Seal(bytes(32)), name="test-1", owner="test"))
        return stores[-1]

    await open_store().prepare([*(projection.name for projection in COUNTED.projections), UNPROJECTED])
    yield World(open_store, MongoShelves(client, database, name="test-1"))
    for store in stores:
        await store.close()
    await client.drop_database(database.name)
    await client.close()


def responded(teller: Teller, subject: str, value: int = 5, **more: Any) -> dict[str, Any]:
    answer = Answer(question="q", metric="csat", value=value, scale=(1, 5))
    return teller.tell(subject, SurveyResponded(response_id=subject, answers=[answer], dims={"source": "s"}), **more)


def surveys(*contents: dict[str, Any] | bytes | None, start: int = 0) -> dict[TopicPartition, list[Any]]:
    return {SURVEYS: [letter(SURVEYS, start + offset, content) for offset, content in enumerate(contents)]}


async def test_a_batch_is_counted_and_its_offset_returned(world: World) -> None:
    teller = Teller()
    committer = world.committer()
    assert await committer.take(surveys(*[responded(teller, f"r{i}") for i in range(5)])) == {SURVEYS: 5}
    assert await committer.take(surveys(*[responded(teller, f"q{i}") for i in range(3)], start=5)) == {SURVEYS: 8}
    assert await world.count() == 8


async def test_what_lies_behind_the_cursor_is_dropped(world: World) -> None:
    """Kafka's offsets were lost or reset; the cursor wins."""
    teller = Teller()
    batch = surveys(*[responded(teller, f"r{i}") for i in range(5)])
    await world.committer().take(batch)
    again = world.committer()
    assert await again.take(batch) == {SURVEYS: 5}
    assert await again.take(surveys(*[responded(teller, "r9")], start=5)) == {SURVEYS: 6}
    assert await world.count() == 6


async def test_as_of_any_day_over_months_and_a_new_year(world: World) -> None:
    days = ("2025-10-31", "2025-11-03", "2025-11-20", "2025-11-30", "2025-12-31", "2026-01-01", "2026-01-14")
    teller = Teller()
    told = [responded(teller, day, time=datetime.fromisoformat(f"{day}T04:00:00Z")) for day in days]
    await world.committer().take(surveys(*told))
    for as_of in (*days, "2025-10-30", "2025-11-10", "2025-12-01", "2026-02-01"):
        assert await world.count(as_of=as_of) == sum(day <= as_of for day in days)
        some = [day for day in days if "2025-11-10" <= day < "2026-01-14"]
        window = Window("2025-11-10", "2026-01-14")
        assert await world.count(as_of=as_of, window=window) == sum(day <= as_of for day in some)


async def test_small_batches_leave_slips_that_a_large_one_posts(world: World) -> None:
    teller = Teller()
    before, after = (datetime(2026, 3, day, 4, tzinfo=UTC) for day in (1, 2))
    committer, looking = world.committer(rules=SHORT), world.open_store()
    for offset, time in enumerate((before, after)):
        await committer.take(surveys(responded(teller, f"r{offset}", time=time), start=offset))
    assert len((await looking.slips([SURVEYS]))[SURVEYS]) == 2
    assert (await world.count(), await world.count(as_of="2026-03-01")) == (2, 1)
    await committer.take(surveys(*[responded(teller, f"q{number}", time=after) for number in range(2)], start=2))
    assert await looking.slips([SURVEYS]) == {}
    assert (await world.count(), await world.count(as_of="2026-03-01")) == (4, 1)


async def test_slips_are_posted_beside_the_batches(world: World) -> None:
    teller = Teller()
    before, after = (datetime(2026, 3, day, 4, tzinfo=UTC) for day in (1, 2))
    committer, looking = world.committer(rules=SHORT), world.open_store()
    for offset, time in enumerate((before, before, after, after, after)):
        await committer.take(surveys(responded(teller, f"r{offset}", time=time), start=offset))
        await committer.post()
        assert len((await looking.slips([SURVEYS])).get(SURVEYS, ())) == (offset + 1) % 2
    assert (await world.count(), await world.count(as_of="2026-03-01")) == (5, 2)


async def test_many_slips_are_laid_together_as_one(world: World) -> None:
    teller = Teller()
    before, after = (datetime(2026, 3, day, 4, tzinfo=UTC) for day in (1, 2))
    committer, looking = world.committer(rules=Rules(many=1)), world.open_store()
    for offset, time in enumerate((before, after, after)):
        await committer.take(surveys(responded(teller, f"r{offset}", time=time), start=offset))
        await committer.post()
        assert [slip.records for slip in (await looking.slips([SURVEYS]))[SURVEYS]] == [offset + 1]
        assert await world.count() == offset + 1
    assert await world.count(as_of="2026-03-01") == 1


async def test_a_slip_that_another_posted_is_not_posted_again(world: World) -> None:
    teller = Teller()
    former, later = world.committer(rules=SHORT), world.committer(rules=SHORT)
    for offset in range(2):
        await former.take(surveys(responded(teller, f"r{offset}"), start=offset))
    await later.take(surveys(responded(teller, "r2"), start=2))
    for committer in (later, former):
        await committer.post()
    assert await world.open_store().slips([SURVEYS]) == {}
    assert await world.count() == 3


async def test_who_takes_a_partition_over_posts_its_slips_and_the_former_one_does_not(world: World) -> None:
    teller = Teller()
    opened = [teller.tell(f"k{number}", ComplaintOpened(case_id=f"k{number}", opened_at=NOON)) for number in range(3)]
    former, later = world.committer(rules=SHORT), world.committer(rules=SHORT)
    await former.take({CASES: [letter(CASES, 0, opened[0])]})
    await former.take(surveys(responded(teller, "r0")))
    await later.take({CASES: [letter(CASES, number, opened[number]) for number in (1, 2)]})
    await former.take(surveys(*[responded(teller, f"r{number}") for number in (1, 2)], start=1))
    assert (await world.count(), await world.count("complaints_opened")) == (3, 3)
    assert await world.open_store().slips([SURVEYS, CASES]) == {}


async def test_an_event_at_two_offsets_is_counted_once(world: World) -> None:
    teller = Teller()
    event = responded(teller, "r")
    await world.committer().take(surveys(event, event))
    await world.committer().take(surveys(event, start=2))
    assert await world.count() == 1


async def test_a_jump_over_records_is_read_again_and_a_mere_hole_accepted(world: World) -> None:
    teller = Teller()
    first, lost, later = responded(teller, "a"), responded(teller, "b"), responded(teller, "c")
    committer = world.committer()
    await committer.take(surveys(first))
    assert await committer.take(surveys(later, start=2)) == {SURVEYS: 1}
    assert await world.count() == 1
    assert await committer.take(surveys(lost, later, start=1)) == {SURVEYS: 3}
    assert await world.count() == 3
    hole = surveys(responded(teller, "d"), start=7)
    assert await committer.take(hole) == {SURVEYS: 3}
    assert await committer.take(hole) == {SURVEYS: 8}
    assert await world.count() == 4


async def test_a_zombie_writes_nothing(world: World) -> None:
    teller = Teller()
    events = [responded(teller, f"r{i}") for i in range(4)]
    zombie, successor = world.committer(), world.committer()
    await zombie.take(surveys(events[0]))
    assert await successor.take(surveys(*events)) == {SURVEYS: 4}
    assert await zombie.take(surveys(*events[1:], start=1)) == {SURVEYS: 4}
    assert await world.count() == 4


async def test_a_moved_partition_does_not_hold_up_the_others(world: World) -> None:
    teller = Teller()
    zombie, successor = world.committer(), world.committer()
    event = responded(teller, "r1")
    opened = teller.tell("k", ComplaintOpened(case_id="k", opened_at=NOON))
    other = teller.tell("l", ComplaintOpened(case_id="l", opened_at=NOON))
    await zombie.take({**surveys(event), CASES: [letter(CASES, 0, opened)]})
    await successor.take(surveys(event))
    offsets = await zombie.take({**surveys(responded(teller, "r2"), start=1), CASES: [letter(CASES, 1, other)]})
    assert offsets == {SURVEYS: 1, CASES: 2}
    assert (await world.count(), await world.count("complaints_opened")) == (1, 2)


async def test_a_fork_is_set_aside(world: World) -> None:
    teller = Teller()
    event = responded(teller, "r")
    committer = world.committer()
    await committer.take(surveys(event))
    await committer.take(surveys({**event, "id": "another"}, start=1))
    assert await world.count() == 1


async def test_later_revisions_wait_for_the_missing_one(world: World) -> None:
    teller = Teller()
    opened = teller.tell("k", ComplaintOpened(case_id="k", opened_at=NOON))
    closed = teller.tell("k", CaseClosed(case_id="k", at=NOON, sla_kept=True))
    broken = teller.tell("k", CaseClosed(case_id="k", at=NOON, sla_kept=False))
    other = teller.tell("l", ComplaintOpened(case_id="l", opened_at=NOON))
    committer = world.committer()
    await committer.take({CASES: [letter(CASES, 0, broken), letter(CASES, 1, other), letter(CASES, 2, broken)]})
    assert await world.count("complaints_opened") == 1
    await world.committer().take({CASES: [letter(CASES, 3, closed)]})
    await world.committer().take({CASES: [letter(CASES, 4, opened), letter(CASES, 5, closed)]})
    assert (await world.count("complaints_opened"), await world.count("sla_kept")) == (2, 0)


async def test_what_may_still_be_counted_is_told_by_topic(world: World) -> None:
    teller = Teller()
    teller.tell("k", ComplaintOpened(case_id="k", opened_at=NOON))
    closed = teller.tell("k", CaseClosed(case_id="k", at=NOON, sla_kept=True))
    await world.committer().take({**surveys(b"not json", responded(teller, "r")), CASES: [letter(CASES, 0, closed)]})
    async with world.shelves.moment() as moment:
        assert await moment.set_aside() == {SURVEYS.topic: 1, CASES.topic: 1}


async def test_a_parked_event_of_a_later_batch_is_applied_with_the_missing_one(world: World) -> None:
    teller = Teller()
    opened = teller.tell("k", ComplaintOpened(case_id="k", opened_at=NOON))
    closed = teller.tell("k", CaseClosed(case_id="k", at=NOON, sla_kept=True))
    await world.committer().take({CASES: [letter(CASES, 0, closed), letter(CASES, 1, opened)]})
    assert await world.count("sla_kept") == 100


async def test_a_number_as_of_a_day_is_what_was_recorded_by_then(world: World) -> None:
    teller = Teller()
    opened = teller.tell(
        "k", ComplaintOpened(case_id="k", opened_at=NOON), recorded=datetime(2026, 5, 1, 15, tzinfo=UTC)
    )
    kept = teller.tell(
        "k", CaseClosed(case_id="k", at=NOON, sla_kept=True), recorded=datetime(2026, 5, 1, 16, tzinfo=UTC)
    )
    broken = teller.tell(
        "k", CaseClosed(case_id="k", at=NOON, sla_kept=False), recorded=datetime(2026, 5, 7, 4, tzinfo=UTC)
    )
    await world.committer().take({CASES: [letter(CASES, i, event) for i, event in enumerate([opened, kept, broken])]})
    assert await world.count("complaints_opened", "2026-04-30") == 0
    assert await world.count("complaints_opened", "2026-05-01") == 1
    assert await world.count("sla_kept", "2026-05-01") is None
    assert await world.count("sla_kept", "2026-05-02") == 100
    assert await world.count("sla_kept", "2026-05-07") == 0
    assert await world.count("sla_kept") == 0


async def test_poison_is_set_aside_and_a_run_of_it_stops_loudly(world: World) -> None:
    teller = Teller()
    committer = world.committer(cap=3)
    await committer.take(surveys(b"no", responded(teller, "a"), b"no", b"\xff", None))
    assert await world.count() == 1
    with pytest.raises(TooManyDeadLetters):
        await committer.take(surveys(b"no", start=5))
    assert await committer.take(surveys(responded(teller, "b"), start=5)) == {SURVEYS: 6}


async def test_odd_but_valid_names_are_stored(world: World) -> None:
    teller = Teller()
    answer = Answer(question="a.b$c|d", metric="csat", value=5, scale=(1, 5))
    said = SurveyResponded(
        response_id="r", answers=[answer], dims={"source": "a.b|$c}", "region": '["東"]'}, product_line="\u2028"
    )
    await world.committer().take(surveys(teller.tell("sub.ject|$1", said)))
    asked = COUNTED.metrics["responses"]
    for exact in (False, True):
        async with world.shelves.moment() as moment:
            question = Question(asked, Window(), None, ("region",), {"source": "a.b|$c}"}, exact=exact)
            found = await number(moment, COUNTED.projections[0], CUTS, question)
        assert [(group.dims, group.answer.value) for group in found.groups] == [({"region": '["東"]'}, 1)]


async def test_subjects_that_nobody_counts_are_guarded_all_the_same(world: World) -> None:
    teller = Teller()
    campaigns = TopicPartition("manyi-survey-events", 1)
    closed = teller.tell("c", CampaignClosed(campaign_id="c", at=NOON))
    fork = {**closed, "id": "another"}
    assert await world.committer().take({campaigns: [letter(campaigns, 0, closed), letter(campaigns, 1, fork)]}) == {
        campaigns: 2
    }


async def test_a_log_that_does_not_fit_the_cursor_is_refused(world: World) -> None:
    teller = Teller()
    await world.committer().take(surveys(*[responded(teller, f"r{i}") for i in range(4)]))

    def between(start: int, end: int) -> BatchCommitter:
        async def bounds(places: Any) -> dict[TopicPartition, tuple[int, int]]:
            return dict.fromkeys(places, (start, end))

        committer = world.committer()
        committer.ask_bounds_of(bounds)
        return committer

    with pytest.raises(LogBroken, match="retention"):
        await between(9, 20).take(surveys(responded(teller, "x"), start=9))
    with pytest.raises(LogBroken, match="made anew"):
        await between(0, 2).take(surveys(responded(teller, "y")))
    assert await between(0, 5).take(surveys(responded(teller, "z"), start=4)) == {SURVEYS: 5}


class Faulty(MemoryStore):
    """Breaks off once: before the commit, or after it without telling."""

    def __init__(self, after: bool) -> None:
        super().__init__()
        self._faults = [after]

    async def commit(self, *of: Any) -> None:
        fault = self._faults.pop() if self._faults else None
        if fault is not False:
            await super().commit(*of)
        if fault is not None:
            raise Interrupted("the connection broke")


@pytest.mark.parametrize("after", [True, False])
async def test_an_interrupted_commit_is_counted_once_whichever_side_it_landed(after: bool) -> None:
    store = Faulty(after)
    world = World(lambda: store, store)
    teller = Teller()
    assert await world.committer().take(surveys(*[responded(teller, f"r{i}") for i in range(3)])) == {SURVEYS: 3}
    assert await world.count() == 3


async def test_forgetting_claims_anew(world: World) -> None:
    teller = Teller()
    committer = world.committer()
    await committer.take(surveys(responded(teller, "a")))
    committer.forget()
    assert await committer.take(surveys(responded(teller, "b"), start=1)) == {SURVEYS: 2}
    assert await world.count() == 2
