"""The intake desk on the real MongoDB: each fact once for ever, in any order, whatever stands beside it in a batch."""

import asyncio
import dataclasses
import itertools
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from shared.contracts.decision import Said
from shared.plumbing.cloudevents import read_structured
from shared.plumbing.intake import IntakeDesk, Understood
from shared.plumbing.journal import Ledger, Stale, Task
from shared.plumbing.listening import Batch
from tests.support import ledgers
from tests.support.ledgers import NOON, Account, EntryBooked, booking, carried_out, on, stored
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
TOPIC = TopicPartition("intake", 0)
CANARY = "canary-7319"


@pytest.fixture
async def ledger(stack: RealStack, namespace: Namespace) -> AsyncIterator[Ledger]:
    async with ledgers.ledger(stack, namespace) as found:
        yield found


@pytest.fixture
async def desk(ledger: Ledger) -> IntakeDesk:
    return await ledgers.desk(ledger)


def event(identifier: str, kind: str, **data: Any) -> bytes:
    head = {"specversion": "1.0", "id": identifier, "source": "shop", "type": kind, "time": "2026-03-01T10:00:00Z"}
    return json.dumps({**head, "data": data}).encode()


def booked(entry: str, amount: int = 1, account: str = "a", identifier: str = "") -> bytes:
    return event(identifier or f"b-{entry}", "entry.booked", account=account, entry=entry, amount=amount)


def cancelled(entry: str, identifier: str = "") -> bytes:
    return event(identifier or f"c-{entry}", "entry.cancelled", account="a", entry=entry)


def batch(*values: bytes | None, first: int = 0) -> Batch:
    at = int(NOON.timestamp() * 1000)
    return {
        TOPIC: [
            ConsumerRecord(TOPIC.topic, 0, first + number, at, 0, None, value, None, 0, len(value or b""), ())
            for number, value in enumerate(values)
        ]
    }


def spread(*values: bytes) -> Batch:
    """The records round four partitions."""
    taken = batch(*values)[TOPIC]
    return {
        TopicPartition(TOPIC.topic, partition): [
            dataclasses.replace(record, partition=partition) for record in taken[partition::4]
        ]
        for partition in range(4)
    }


async def counts(desk: IntakeDesk, source: str = "shop") -> dict[str, int]:
    """Outcome → number of events, over all types."""
    types = (await desk.totals(source))["types"].values()
    outcomes = ("accepted", "duplicate", "early", "rejected")
    return {name: number for name in outcomes if (number := sum(one[name] for one in types))}


async def test_the_same_batch_again_changes_nothing(ledger: Ledger, desk: IntakeDesk) -> None:
    values = (booked("e1"), booked("e1"), b"not json", cancelled("later"), event("x", "entry.moved"), None)
    for _ in range(3):
        assert await desk.take(batch(*values)) == {TOPIC: 6}
    state = await stored(ledger, "a")
    assert state is not None
    assert (state.total, list(state.entries)) == (1, ["e1"])
    assert await ledger.database["quarantine"].count_documents({}) == 3
    assert await ledger.database["early"].count_documents({}) == 1
    assert await ledger.database["journal"].count_documents({}) == 2
    assert await counts(desk) == {"accepted": 1, "duplicate": 1 + 2 * 4, "early": 1, "rejected": 1}
    assert await counts(desk, "?") == {"duplicate": 4, "rejected": 2}


async def test_the_same_fact_under_another_event_id_is_a_duplicate(ledger: Ledger, desk: IntakeDesk) -> None:
    await desk.take(batch(booked("e1", 5)))
    await desk.take(batch(booked("e1", 9, identifier="again"), booked("e2", 1), booked("e2", 1, identifier="twice")))
    state = await stored(ledger, "a")
    assert state is not None
    assert state.total == 6
    assert await counts(desk) == {"accepted": 2, "duplicate": 2}


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "a batch each"])
async def test_what_comes_early_is_applied_later_in_every_order(
    ledger: Ledger, desk: IntakeDesk, together: bool
) -> None:
    facts = [("entry.booked", "e1", {"amount": 1}), ("entry.booked", "e2", {"amount": 10})]
    facts += [("entry.cancelled", "e1", {}), ("entry.cancelled", "e2", {})]
    for number, order in enumerate(itertools.permutations(facts)):
        account = f"a{number}"
        values = [
            event(f"{account}-{kind}-{entry}", kind, account=account, entry=f"{account}-{entry}", **more)
            for kind, entry, more in order
        ]
        for group in [values] if together else [[value] for value in values]:
            await desk.take(batch(*group))
        state = await stored(ledger, account)
        assert state is not None
        assert [state.total, *(entry.cancelled for entry in state.entries.values())] == [0, True, True], order
    assert await ledger.database["early"].count_documents({}) == 0
    assert await counts(desk) == {"accepted": 4 * 24}


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "two batches"])
async def test_a_fact_corrected_after_its_refusal_counts(ledger: Ledger, desk: IntakeDesk, together: bool) -> None:
    values = (booked("e1", -1), booked("e1", 5, identifier="corrected"), booked("e1", 7, identifier="late"))
    for group in [values] if together else [(value,) for value in values]:
        await desk.take(batch(*group, first=0 if together else values.index(group[0])))
    state = await stored(ledger, "a")
    assert state is not None
    assert state.total == 5
    assert await counts(desk) == {"accepted": 1, "duplicate": 1, "rejected": 1}


async def test_a_fact_refused_when_it_was_woken_may_be_told_again(ledger: Ledger, desk: IntakeDesk) -> None:
    await desk.take(batch(cancelled("e1")))
    # Cancelled by somebody else, so that the waiting cancellation is refused when the account changes.
    await carried_out(ledger, booking("a", "e1", 5), ledgers.cancelling("a", "e1"))
    await desk.take(batch(booked("e2")))
    assert (await desk.totals("shop"))["types"]["entry.cancelled"] == {
        "accepted": 0,
        "duplicate": 0,
        "early": 0,
        "rejected": 1,
    }
    await desk.take(batch(cancelled("e1", "once more"), first=9))
    assert (await desk.totals("shop"))["types"]["entry.cancelled"]["rejected"] == 2


async def test_one_poisonous_task_holds_up_nothing_around_it(ledger: Ledger) -> None:
    def overtaken(state: Account | None) -> list[Said]:
        # Collides with an entry of another account whenever it is written.
        return [Said(ledgers.AccountOpened(account_id="p"), NOON), Said(EntryBooked(entry_id="taken", amount=1), NOON)]

    def task(heard: Any) -> Task[Account]:
        return on("p", overtaken) if heard.data.entry == "poison" else ledgers._booked(heard)

    desk = await ledgers.desk(ledger, [Understood(ledgers.Booked, task)])
    await carried_out(ledger, booking("other", "taken", 1))
    for poison in (0, 5, 10):
        values = [booked(f"e{poison}-{number}") for number in range(10)]
        values.insert(poison, booked("poison", identifier=f"poison-{poison}"))
        with pytest.raises(Stale):
            await desk.take(batch(*values))
        state = await stored(ledger, "a")
        assert state is not None
        assert sum(name.startswith(f"e{poison}-") for name in state.entries) == 10
    assert await stored(ledger, "p") is None


async def test_a_fault_in_a_rule_is_kept_with_its_reason_and_the_rest_goes_on(ledger: Ledger) -> None:
    def broken(state: Account | None) -> list[Said]:
        raise ZeroDivisionError

    def task(heard: Any) -> Task[Account]:
        return on("a", broken) if heard.data.entry == "broken" else ledgers._booked(heard)

    desk = await ledgers.desk(ledger, [Understood(ledgers.Booked, task)])
    await desk.take(batch(booked("e1"), booked("broken"), booked("e2")))
    assert await counts(desk) == {"accepted": 2, "rejected": 1}
    assert (await desk.totals("shop"))["rejects"][0]["reason"] == "internal fault: ZeroDivisionError"


async def test_the_sweep_closes_the_race_between_finding_nothing_and_writing_it(
    ledger: Ledger, desk: IntakeDesk
) -> None:
    await desk.take(batch(cancelled("e1")))
    # Written by another process whose batch did not see the early record yet.
    await carried_out(ledger, booking("a", "e1", 5))
    assert await desk.sweep() == 1
    assert await desk.sweep() == 0
    state = await stored(ledger, "a")
    assert state is not None
    assert state.entries["e1"].cancelled
    assert await counts(desk) == {"accepted": 1}


async def test_the_sweep_leaves_what_still_waits(ledger: Ledger, desk: IntakeDesk) -> None:
    await desk.take(batch(cancelled("e1"), cancelled("e2")))
    await carried_out(ledger, booking("a", "e1", 5))
    assert await desk.sweep() == 1
    [left] = await ledger.database["early"].find().to_list(None)
    assert left["waits"] == "a"
    assert await desk.sweep() == 0
    assert await counts(desk) == {"accepted": 1, "early": 1}


async def test_of_many_that_waited_for_one_subject_the_sweep_wakes_the_rest(
    ledger: Ledger, desk: IntakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many they are, no transaction has to hold them all."""
    names = [f"e{number}" for number in range(7)]
    await desk.take(batch(*map(cancelled, names)))
    monkeypatch.setattr("shared.plumbing.intake.early.AWAKENED_AT_ONCE", 2)
    await desk.take(batch(*map(booked, names), first=7))
    assert await counts(desk) == {"accepted": 7 + 2, "early": 5}
    assert await desk.sweep() == 5
    assert await counts(desk) == {"accepted": 14}
    state = await stored(ledger, "a")
    assert state is not None
    assert state.total == 0


async def test_events_that_come_at_once_do_not_lose_races_to_one_another(
    desk: IntakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.take(batch(booked("first")))  # makes the collections
    monkeypatch.setattr("shared.plumbing.settling.ATTEMPTS", 1)  # the first lost race would be the last
    told = [read_structured(booked(f"e{number}", account=f"a{number}")) for number in range(30)]
    receipts = await asyncio.gather(*(desk.receive([one]) for one in told))
    assert {receipt.outcome for (receipt,) in receipts} == {"accepted"}
    assert await counts(desk) == {"accepted": 31}


async def test_an_unknown_time_zone_is_refused_at_the_door(ledger: Ledger, desk: IntakeDesk) -> None:
    zoned = [read_structured(json.dumps({**json.loads(booked(zone)), "timezone": zone}).encode()) for zone in ZONES]
    assert [receipt.outcome for receipt in await desk.receive(zoned)] == ["accepted", "rejected", "rejected"]


async def test_much_is_taken_in_lanes_that_meet_on_the_same_subjects(ledger: Ledger, desk: IntakeDesk) -> None:
    values = [booked(f"e{number}", account=f"a{number % 3}") for number in range(300)]
    assert await desk.take(spread(*values)) == {TopicPartition(TOPIC.topic, 0): 297} | {
        TopicPartition(TOPIC.topic, partition): 297 + partition for partition in (1, 2, 3)
    }
    assert await counts(desk) == {"accepted": 300}
    states = [await stored(ledger, f"a{number}") for number in range(3)]
    assert [state.total for state in states if state is not None] == [100, 100, 100]


async def test_what_one_lane_took_is_not_taken_again_when_the_other_failed(
    desk: IntakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [booked(f"e{number}", account=f"a{number}") for number in range(300)]
    attempt, trouble = desk._attempt, [ConnectionError("away for a moment")]

    async def sometimes(items: Any) -> None:
        if trouble and items[0].place.startswith(f"{TOPIC.topic}/1/"):
            raise trouble.pop()
        await attempt(items)

    monkeypatch.setattr(desk, "_attempt", sometimes)
    with pytest.raises(ConnectionError):
        await desk.take(spread(*values))
    await desk.take(spread(*values))
    assert await counts(desk) == {"accepted": 300}
    await desk.take(spread(*values))
    assert await counts(desk) == {"accepted": 300, "duplicate": 300}


ZONES = ("Europe/London", "Mars/Base", "../etc/passwd")


async def test_payloads_that_wait_or_were_refused_are_sealed(ledger: Ledger, desk: IntakeDesk) -> None:
    await desk.take(batch(cancelled(CANARY), CANARY.encode(), event("x", "entry.booked", account="a", name=CANARY)))
    for collection in await ledger.database.list_collection_names():
        assert CANARY not in str(await ledger.database[collection].find().to_list(None)), collection
    [waiting] = await ledger.database["early"].find().to_list(None)
    assert isinstance(waiting["arrived"], datetime)
