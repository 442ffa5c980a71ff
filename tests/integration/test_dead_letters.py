"""Dead letters of an intake desk and of a committer on the real MongoDB: taken again after a fix, each counts once."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from services.reporting.metrics.metric import Window
from services.reporting.numbers import Question, number
from shared.contracts.catalogue import CATALOGUE
from shared.contracts.feedback import CaseClosed, ComplaintOpened
from shared.plumbing.clock import ManualClock
from shared.plumbing.committer import BatchCommitter
from shared.plumbing.counting import UNPROJECTED, Counter
from shared.plumbing.dead_letters import DeadLetters, Retried, Retrying, Settled
from shared.plumbing.intake import Heard, IntakeDesk, Understood
from shared.plumbing.journal import Ledger, Task
from shared.plumbing.listening import Batch
from shared.plumbing.problems import Problem
from shared.plumbing.quarantine import DeadLetter, open_letters, prepare_quarantine
from shared.plumbing.reading import Reader
from shared.plumbing.recounting import Recount, Recounting
from shared.plumbing.shelves_mongo import MongoShelves
from shared.plumbing.store_mongo import MongoStore
from shared.plumbing.streak import TooManyDeadLetters
from tests.integration.test_committer import COUNTED, COUNTER, CUTS, ZONE
from tests.support import ledgers
from tests.support.ledgers import NOON, Account, Booked, stored
from tests.support.stack import Namespace, RealStack
from tests.support.telling import Teller, letter

pytestmark = pytest.mark.stack
TOPIC = TopicPartition("intake", 0)
CASES = TopicPartition("manyi-feedback-events", 3)
CANARY = "canary-5521"


@pytest.fixture
async def ledger(stack: RealStack, namespace: Namespace) -> AsyncIterator[Ledger]:
    async with ledgers.ledger(stack, namespace) as found:
        await prepare_quarantine(found.database)
        yield found


def event(identifier: str, kind: str = "entry.booked", **data: Any) -> bytes:
    head = {"specversion": "1.0", "id": identifier, "source": "shop", "type": kind}
    return json.dumps({**head, "data": {"account": "a", "entry": "e1", **data}}).encode()


def batch(*values: bytes, headers: Any = (), first: int = 0) -> Batch:
    at = int(NOON.timestamp() * 1000)
    return {
        TOPIC: [
            ConsumerRecord(TOPIC.topic, 0, first + number, at, 0, None, value, None, 0, len(value), headers)
            for number, value in enumerate(values)
        ]
    }


async def broken_desk(ledger: Ledger) -> IntakeDesk:
    """As before the fix: its rule fails."""

    def broken(_: Heard) -> Task[Account]:
        def fail(_state: Account | None) -> list[Any]:
            raise ZeroDivisionError

        return ledgers.on("a", fail)

    return await ledgers.desk(ledger, [Understood(Booked, broken)])


def letters_of(ledger: Ledger, taker: Retrying) -> DeadLetters:
    return DeadLetters(ledger.database, ledger.keyring, ledger.clock, "bank", {"intake": taker, "http": taker})


async def outcomes(desk: IntakeDesk) -> dict[str, int]:
    types = (await desk.totals("shop"))["types"]
    return {outcome: count for outcome, count in types["entry.booked"].items() if count}


async def test_after_a_fix_a_record_is_taken_once_however_often_it_is_retried(ledger: Ledger) -> None:
    await (await broken_desk(ledger)).take(batch(event("b1", amount=5)))
    desk = await ledgers.desk(ledger)
    assert await outcomes(desk) == {"rejected": 1}
    letters = letters_of(ledger, desk)
    answers = await asyncio.gather(*(letters.retry("intake/0/0", "kim") for _ in range(4)))
    assert {answer["outcome"] for answer in answers} == {"accepted"}
    assert (await letters.retry("intake/0/0", "kim"))["state"] == "retried"
    await desk.take(batch(event("b1", amount=5), event("b2", amount=9)))
    state = await stored(ledger, "a")
    assert state is not None
    assert state.total == 5
    assert await ledger.database["journal"].count_documents({}) == 2
    assert await outcomes(desk) == {"accepted": 1, "duplicate": 2}
    assert await open_letters(ledger.database) == 0
    assert (await desk.totals("shop"))["rejects"] == []


async def test_a_retry_that_breaks_off_before_its_commit_changed_nothing(ledger: Ledger) -> None:
    await (await broken_desk(ledger)).take(batch(event("b1", amount=5)))
    desk = await ledgers.desk(ledger)

    class Breaking:
        async def retry(self, letter: DeadLetter, settled: Settled) -> Retried:
            def break_off(_outcome: str) -> Any:
                raise ConnectionError

            return await desk.retry(letter, break_off)

    with pytest.raises(ConnectionError):
        await letters_of(ledger, Breaking()).retry("intake/0/0", "kim")
    assert await stored(ledger, "a") is None
    assert (await letters_of(ledger, desk).retry("intake/0/0", "kim"))["outcome"] == "accepted"
    assert await outcomes(desk) == {"accepted": 1}


async def test_a_fact_told_again_meanwhile_makes_the_retry_a_duplicate(ledger: Ledger) -> None:
    await (await broken_desk(ledger)).take(batch(event("b1", amount=5)))
    desk = await ledgers.desk(ledger)
    await desk.take(batch(event("corrected", amount=7), first=1))
    assert (await letters_of(ledger, desk).retry("intake/0/0", "kim"))["outcome"] == "duplicate"
    state = await stored(ledger, "a")
    assert state is not None
    assert state.total == 7


async def test_what_a_retried_record_refers_to_may_still_be_missing(ledger: Ledger) -> None:
    await (await ledgers.desk(ledger, [])).take(batch(event("c1", "entry.cancelled")))
    desk = await ledgers.desk(ledger)
    assert (await letters_of(ledger, desk).retry("intake/0/0", "kim"))["outcome"] == "early"
    await desk.take(batch(event("b1", amount=5), first=1))
    state = await stored(ledger, "a")
    assert state is not None
    assert state.entries["e1"].cancelled
    types = (await desk.totals("shop"))["types"]
    assert types["entry.cancelled"] == {"accepted": 1, "duplicate": 0, "early": 0, "rejected": 0}
    assert types["unknown"]["rejected"] == 0


async def test_what_waited_after_a_retry_and_is_refused_at_last_is_an_open_letter_again(ledger: Ledger) -> None:
    """Two systems cancel one entry before it is booked: one of the two comes too late."""
    cancels = [event("c1", "entry.cancelled").replace(b"shop", name) for name in (b"shop", b"till")]
    await (await ledgers.desk(ledger, [])).take(batch(*cancels, event("b1", amount=5)))
    desk = await ledgers.desk(ledger)
    letters = letters_of(ledger, desk)
    for offset in (0, 1):
        assert (await letters.retry(f"intake/0/{offset}", "kim"))["outcome"] == "early"
    assert (await letters.retry("intake/0/2", "kim"))["outcome"] == "accepted"
    (refused,) = (await letters.page(settled=False, topic=None, after=None, limit=9))["letters"]
    assert "cancelled already" in refused["reason"]
    shown = await letters.one(refused["id"], payload=True, actor="kim")
    assert json.loads(shown["payload"])["data"] == {"account": "a", "entry": "e1"}
    assert (await letters.retry(refused["id"], "kim"))["outcome"] == "rejected"
    assert (await letters.discard(refused["id"], "twice", "kim"))["state"] == "discarded"
    await desk.take(batch(event("c1", "entry.cancelled"), event("b1", amount=5), first=3))
    assert await open_letters(ledger.database) == 0


async def test_attributes_in_headers_are_kept_with_the_record(ledger: Ledger) -> None:
    names = {"specversion": "1.0", "id": "b1", "source": "shop", "type": "entry.booked"}
    headers = [(f"ce_{name}", text.encode()) for name, text in names.items()]
    data = json.dumps({"account": "a", "entry": "e1", "amount": 5}).encode()
    await (await broken_desk(ledger)).take(batch(data, headers=headers))
    assert (await letters_of(ledger, await ledgers.desk(ledger)).retry("intake/0/0", "kim"))["outcome"] == "accepted"


async def test_what_is_discarded_stays_on_record_without_its_payload(ledger: Ledger) -> None:
    desk = await ledgers.desk(ledger)
    values = (f"not json {CANARY}".encode(), event("x", note=CANARY))
    await desk.take(batch(*values))
    letters = letters_of(ledger, desk)
    for place in ("intake/0/0", "intake/0/1"):
        assert (await letters.retry(place, "kim"))["outcome"] == "rejected"
        assert CANARY not in str(await letters.one(place, payload=False, actor="kim"))
        assert CANARY in (await letters.one(place, payload=True, actor="kim"))["payload"]
        await letters.discard(place, f"nobody misses {CANARY}", "kim")
        assert (await letters.discard(place, "again", "lee"))["by"] == "kim"
        with pytest.raises(Problem, match="payload is gone"):
            await letters.retry(place, "kim")
        assert (await letters.one(place, payload=True, actor="kim"))["why"] == f"nobody misses {CANARY}"
    await desk.take(batch(*values))  # delivered again
    assert await open_letters(ledger.database) == 0
    assert await outcomes(desk) == {"duplicate": 1, "rejected": 1}
    assert CANARY not in str(await ledger.database["quarantine"].find().to_list())
    assert "expires" not in str(await ledger.database["quarantine"].find().to_list())


async def test_pages_follow_one_another(ledger: Ledger) -> None:
    desk = await ledgers.desk(ledger)
    await desk.take(batch(*(b"no" for _ in range(7))))
    letters = letters_of(ledger, desk)
    after, found = None, []
    for expected in (3, 3, 1):
        page = await letters.page(settled=False, topic="intake", after=after, limit=3)
        assert (len(page["letters"]), page["total"]) == (expected, 7)
        found += [one["offset"] for one in page["letters"]]
        after = page["next"]
    assert (sorted(found), after) == (list(range(7)), None)
    assert (await letters.page(settled=False, topic="intak", after=None, limit=3))["total"] == 0


async def test_too_much_poison_in_a_row_stops_the_desk_and_sets_nothing_aside(ledger: Ledger) -> None:
    desk = await ledgers.desk(ledger, cap=2)
    await desk.take(batch(b"no", b"no", event("b1", amount=1), b"no"))
    with pytest.raises(TooManyDeadLetters, match="intake/0/5"):
        await desk.take(batch(b"no", b"no", first=4))
    assert await open_letters(ledger.database) == 3
    await desk.take(batch(b"no", event("b2", amount=1), first=4))
    assert await open_letters(ledger.database) == 4
    await desk.take(batch(b"no", b"no", first=6))
    desk.forget()
    await desk.take(batch(b"no", b"no", first=6))  # delivered again after a rebalance: still two in a row
    assert await open_letters(ledger.database) == 6


class Reports:
    """One projection set whose first version knows no CaseClosed, and its letters as the fixed version sees them."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.stores: list[MongoStore] = []
        known = [entry.event for entry in CATALOGUE.values() if entry.event is not CaseClosed]
        self.old = Counter(Reader(known, COUNTED.projections, ZONE), COUNTED.projections, CUTS, ZONE)
        self.recounting = Recounting(ledger.database, [Recount(COUNTER, self.store(), ledger.clock)])
        self.letters = self.letters_by(self.recounting)

    def letters_by(self, taker: Retrying) -> DeadLetters:
        return DeadLetters(
            self._ledger.database, self._ledger.keyring, self._ledger.clock, "reporting", {CASES.topic: taker}
        )

    def store(self) -> MongoStore:
        ledger = self._ledger
        self.stores.append(MongoStore(ledger.client, ledger.database, ledger.keyring.seal, name="set", owner="test"))
        return self.stores[-1]

    def committer(self, counter: Counter = COUNTER) -> BatchCommitter:
        return BatchCommitter(counter, self.store(), ManualClock(NOON), max_dead_letters_in_a_row=9)

    async def count(self, metric: str) -> float | None:
        asked = COUNTED.metrics[metric]
        projection = next(known for known in COUNTED.projections if known.name == asked.projection)
        async with MongoShelves(self._ledger.client, self._ledger.database, name="set").moment() as moment:
            return (await number(moment, projection, CUTS, Question(asked, Window(), None))).total.value


@pytest.fixture
async def reports(ledger: Ledger) -> AsyncIterator[Reports]:
    found = Reports(ledger)
    await found.stores[0].prepare([*(projection.name for projection in COUNTED.projections), UNPROJECTED])
    yield found
    for store in found.stores:
        await store.close()


def told(*contents: Any, first: int = 0) -> dict[TopicPartition, list[Any]]:
    return {CASES: [letter(CASES, first + offset, content) for offset, content in enumerate(contents)]}


async def test_a_retried_record_is_counted_and_what_waited_for_it_too(reports: Reports, ledger: Ledger) -> None:
    teller = Teller()
    opened = teller.tell("k", ComplaintOpened(case_id="k", opened_at=NOON))
    closed = teller.tell("k", CaseClosed(case_id="k", at=NOON, sla_kept=True))
    later = teller.tell("k", CaseClosed(case_id="k", at=NOON, sla_kept=False))
    live = reports.committer()
    await reports.committer(reports.old).take(told(opened, closed))
    await live.take(told(later, first=2))
    assert (await open_letters(ledger.database), await reports.stores[0].parked_records()) == (1, 1)
    (gap,) = await reports.stores[0].gaps(5)
    assert gap["waits_for"] == "cases/k before revision 3"
    assert await reports.count("sla_kept") is None

    assert (await reports.letters.retry(f"{CASES.topic}/3/1", "kim"))["outcome"] == "accepted"
    assert await reports.count("sla_kept") == 0
    assert (await open_letters(ledger.database), await reports.stores[0].parked_records()) == (0, 0)
    assert (await reports.letters.retry(f"{CASES.topic}/3/1", "kim"))["outcome"] == "accepted"
    # Whoever counts the partition knows nothing of it; pages written behind its back are read again.
    assert await live.take(told(later, first=3)) == {CASES: 3}
    assert await live.take(told(later, first=3)) == {CASES: 4}
    assert (await reports.count("complaints_opened"), await reports.count("sla_kept")) == (1, 0)


async def test_a_retry_that_breaks_off_after_counting_counts_once(reports: Reports, ledger: Ledger) -> None:
    teller = Teller()
    opened = teller.tell("k", ComplaintOpened(case_id="k", opened_at=NOON))
    closed = teller.tell("k", CaseClosed(case_id="k", at=NOON, sla_kept=True))
    await reports.committer(reports.old).take(told(opened, closed))

    class Breaking:
        async def retry(self, letter: DeadLetter, settled: Settled) -> Retried:
            def break_off(_outcome: str) -> Any:
                raise ConnectionError

            return await reports.recounting.retry(letter, break_off)

    for _ in range(2):
        with pytest.raises(ConnectionError):
            await reports.letters_by(Breaking()).retry(f"{CASES.topic}/3/1", "kim")
    assert (await reports.count("sla_kept"), await open_letters(ledger.database)) == (100, 1)
    assert (await reports.letters.retry(f"{CASES.topic}/3/1", "kim"))["outcome"] == "duplicate"
    assert (await reports.count("sla_kept"), await open_letters(ledger.database)) == (100, 0)


async def test_retries_at_the_same_time_do_not_get_in_one_anothers_way(reports: Reports, ledger: Ledger) -> None:
    teller = Teller()
    opened = [teller.tell(f"k{number}", ComplaintOpened(case_id=f"k{number}", opened_at=NOON)) for number in range(4)]
    closed = [
        teller.tell(f"k{number}", CaseClosed(case_id=f"k{number}", at=NOON, sla_kept=True)) for number in range(4)
    ]
    await reports.committer(reports.old).take(told(*opened, *closed))
    answers = await asyncio.gather(
        *(reports.letters.retry(f"{CASES.topic}/3/{4 + number}", "kim") for number in range(4))
    )
    assert [answer["outcome"] for answer in answers] == ["accepted"] * 4
    assert (await reports.count("sla_kept"), await open_letters(ledger.database)) == (100, 0)


async def test_what_waited_after_a_retry_and_does_not_fit_is_an_open_letter_again(
    reports: Reports, ledger: Ledger
) -> None:
    teller = Teller()
    opened = teller.tell("k", ComplaintOpened(case_id="k", opened_at=NOON))
    closed = teller.tell("k", CaseClosed(case_id="k", at=NOON.replace(year=9500), sla_kept=True))
    await reports.committer(reports.old).take(told(closed))
    assert (await reports.letters.retry(f"{CASES.topic}/3/0", "kim"))["outcome"] == "early"
    await reports.committer().take(told(opened, first=1))
    (unfit,) = (await reports.letters.page(settled=False, topic=None, after=None, limit=9))["letters"]
    assert "outside the years" in unfit["reason"]
    assert await reports.count("complaints_opened") == 1


async def test_what_is_still_poison_stays(reports: Reports, ledger: Ledger) -> None:
    teller = Teller()
    opened = teller.tell("k", ComplaintOpened(case_id="k", opened_at=NOON))
    await reports.committer().take(told(opened, b"no", {**opened, "id": "fork"}))
    for offset, reason in ((1, "not valid JSON"), (2, "fork")):
        answer = await reports.letters.retry(f"{CASES.topic}/3/{offset}", "kim")
        assert answer["outcome"] == "rejected"
        assert reason in answer["reason"]
    assert await open_letters(ledger.database) == 2
    assert await reports.count("complaints_opened") == 1
