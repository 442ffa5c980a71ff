"""The relay on the real MongoDB and Kafka: in order per subject, never skipping, whatever happens to it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.decision import Refusal
from shared.contracts.envelope import moment_text
from shared.plumbing.clock import ManualClock
from shared.plumbing.journal import Ledger
from shared.plumbing.lease import LEASE, LeaseLost
from shared.plumbing.relay import WATERMARK_MARGIN, Relay
from tests.integration.test_intake import batch
from tests.support import ledgers
from tests.support.backups import Vault
from tests.support.eventually import eventually
from tests.support.ledgers import NOON, booking, carried_out
from tests.support.stack import FEW_PARTITIONS, Namespace, RealStack
from tests.support.topics import read_all

pytestmark = pytest.mark.stack


class Corner:
    """A ledger, and relays of it onto this test's own topics."""

    def __init__(self, stack: RealStack, namespace: Namespace, ledger: Ledger) -> None:
        self.ledger = ledger
        self._kafka, self._prefix = stack.kafka, namespace.topic_prefix
        assert isinstance(ledger.clock, ManualClock)
        self.clock = ledger.clock

    def relay(self, instance: str | None = None) -> Relay:
        return Relay(
            self.ledger.client,
            self.ledger.database,
            self.clock,
            kafka=self._kafka,
            events_topic=f"{self._prefix}customer-events",
            dead_letters_topic=f"{self._prefix}dead-letters",
            watermarks_topic=f"{self._prefix}watermarks",
            service="bank",
            instance=instance,
        )

    async def told(self, topic: str = "customer-events") -> list[dict[str, Any]]:
        """What is on a topic now: the values with the key and partition they stand under."""
        records = await read_all(self._kafka, f"{self._prefix}{topic}")
        return [{**json.loads(one.value), "_key": one.key.decode(), "_at": one.partition} for one in records]

    async def book(self, entries: int, subjects: int = 3, first: int = 0) -> None:
        """Commit bookings one by one, round the subjects."""
        for number in range(first, first + entries):
            await carried_out(self.ledger, booking(f"s{number % subjects}", f"e{number}", 1))

    async def state(self) -> dict[str, Any]:
        return await self.ledger.database["relay"].find_one({"_id": "relay"}) or {}


@pytest.fixture
async def corner(stack: RealStack, namespace: Namespace) -> AsyncIterator[Corner]:
    async with ledgers.ledger(stack, namespace) as ledger:
        yield Corner(stack, namespace, ledger)


@asynccontextmanager
async def running(relay: Relay) -> AsyncIterator[asyncio.Task[None]]:
    """The relay at work; at the end it is cut off wherever it stands, its lease not given up."""
    task = asyncio.create_task(relay.run())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def first_appearances(events: list[dict[str, Any]]) -> dict[str, list[int]]:
    """Subject → revisions in the order in which each stands on the topic for the first time."""
    seen: dict[str, list[int]] = {}
    for event in events:
        revisions = seen.setdefault(event["subject"], [])
        if event["revision"] not in revisions:
            revisions.append(event["revision"])
    return seen


async def published(corner: Corner, **revisions: int) -> list[dict[str, Any]]:
    """Wait until every subject is there up to its revision, in order and without a gap; what was told."""

    wanted = {subject: list(range(1, last + 1)) for subject, last in revisions.items()}

    async def there() -> list[dict[str, Any]]:
        told = await corner.told()
        return told if first_appearances(told) == wanted else []

    return await eventually(there, timeout=30)


async def idle(corner: Corner, relay: Relay) -> None:
    """Wait until the relay has found nothing more behind the token it stored."""

    async def stored() -> bool:
        return relay.active and relay.backlog == 0 and "token" in await corner.state()

    await eventually(stored, timeout=30)


async def test_each_subject_stands_in_order_under_its_key(corner: Corner) -> None:
    await corner.book(6)
    async with running(corner.relay()):
        await corner.book(30, first=6)
        events = await published(corner, s0=13, s1=13, s2=13)
    assert all(event["_key"] == event["partitionkey"] == event["subject"] for event in events)
    assert all(len({event["_at"] for event in events if event["subject"] == subject}) == 1 for subject in ("s0", "s1"))
    assert "private" not in events[0]
    journal = await corner.ledger.database["journal"].find().to_list(None)
    told = {event["id"] for event in events}
    assert {json.loads(record["event"])["id"] for record in journal} == told


async def test_a_relay_goes_on_where_the_last_one_stopped(corner: Corner) -> None:
    relay = corner.relay()
    async with running(relay):
        await idle(corner, relay)  # at its first start it may send twice what is written just then
        await corner.book(3)
        await published(corner, s0=2, s1=2, s2=2)
        await idle(corner, relay)
    await relay.release()
    await corner.book(3, first=3)
    async with running(corner.relay()):
        events = await published(corner, s0=3, s1=3, s2=3)
    assert len(events) == 9


async def test_killed_between_sending_and_remembering_it_sends_again(corner: Corner) -> None:
    relay = corner.relay()
    async with running(relay):
        await corner.book(3)
        await published(corner, s0=2, s1=2, s2=2)
        await idle(corner, relay)
        before = await corner.state()
        await corner.book(6, first=3)
        await published(corner, s0=4, s1=4, s2=4)
        await idle(corner, relay)
    # What a kill leaves behind: the records are on the topic, the token is still the old one.
    await corner.ledger.database["relay"].replace_one({"_id": "relay"}, before)
    corner.clock.advance(LEASE + timedelta(seconds=1))
    await corner.book(3, first=9)
    async with running(corner.relay()):
        events = await published(corner, s0=5, s1=5, s2=5)
    assert len(events) > 15
    assert len({event["id"] for event in events}) == len({json.dumps(event) for event in events}) == 15


@pytest.mark.parametrize(
    "token",
    [{"_data": "no token"}, {"_data": "82" + "00" * 40}, {"other": 1}, "text"],
    ids=["words", "old", "shape", "type"],
)
async def test_a_lost_token_makes_the_journal_be_published_from_the_start(corner: Corner, token: Any) -> None:
    await corner.book(9)
    await corner.ledger.database["relay"].insert_one({"_id": "relay", "token": token, "fence": 0})
    async with running(corner.relay()):
        await published(corner, s0=4, s1=4, s2=4)
        await corner.book(3, first=9)
        await published(corner, s0=5, s1=5, s2=5)


async def test_a_rescan_starts_ten_minutes_before_the_last_acknowledged(corner: Corner) -> None:
    await corner.book(1, subjects=1)
    corner.clock.advance(timedelta(hours=1))
    await corner.book(1, subjects=1, first=1)
    state = {"_id": "relay", "token": {"_data": "lost"}, "fence": 0, "acknowledged": NOON + timedelta(hours=1)}
    await corner.ledger.database["relay"].insert_one(state)
    async with running(corner.relay()):

        async def there() -> bool:
            return [event["revision"] for event in await corner.told()] == [3]

        await eventually(there, timeout=30)


async def test_of_two_relays_one_is_active_and_the_other_takes_over(corner: Corner) -> None:
    one, other = corner.relay(), corner.relay()
    async with running(other):
        async with running(one):
            await eventually(lambda: one.active or other.active, timeout=20)
            await corner.book(3)
            await published(corner, s0=2, s1=2, s2=2)
            assert one.active != other.active
            if other.active:
                one, other = other, one
        # Whichever was not cut off must go on: at once if it was the active one, else when the lease has run out.
        corner.clock.advance(LEASE + timedelta(seconds=1))
        await corner.book(3, first=3)
        events = await published(corner, s0=3, s1=3, s2=3)
    assert len({event["id"] for event in events}) == 9


async def test_a_relay_whose_lease_was_taken_stops_and_can_store_nothing(corner: Corner) -> None:
    asleep = corner.relay()
    async with running(asleep):
        await corner.book(3)
        await published(corner, s0=2, s1=2, s2=2)
        await idle(corner, asleep)
        corner.clock.advance(LEASE + timedelta(seconds=1))
        successor = corner.relay()
        async with running(successor):
            await eventually(lambda: successor.active, timeout=20)
            await eventually(lambda: not asleep.active, timeout=20)
            await corner.book(3, first=3)
            await published(corner, s0=3, s1=3, s2=3)
            await eventually(lambda: _fence_of(corner, successor), timeout=20)
            state = await corner.state()
            with pytest.raises(LeaseLost):
                await asleep._store({"_data": "behind"}, None)
            asleep._lease._renewed = 0.0
            with pytest.raises(LeaseLost):
                await asleep._lease.renew()
            assert (await corner.state())["fence"] == state["fence"]


async def test_a_lease_taken_while_a_clock_was_days_ahead_holds_up_nobody(corner: Corner) -> None:
    corner.clock.advance(timedelta(days=2))
    astray = corner.relay()
    async with running(astray):
        await eventually(lambda: astray.active, timeout=20)
    corner.clock.advance(timedelta(days=-2))
    successor = corner.relay()
    async with running(successor):
        await eventually(lambda: successor.active, timeout=20)


async def test_who_is_started_again_under_its_name_has_its_lease_at_once(corner: Corner) -> None:
    former, other, successor = corner.relay("one"), corner.relay("two"), corner.relay("one")
    async with running(former):
        await eventually(lambda: former.active, timeout=20)
    assert not await other._lease.claim()
    async with running(successor):
        await eventually(lambda: successor.active, timeout=20)
        # It was only asleep: two of a name do not take the lease from one another.
        assert not await former._lease.claim()
        await corner.book(3)
        await published(corner, s0=2, s1=2, s2=2)


async def _fence_of(corner: Corner, relay: Relay) -> bool:
    return bool((await corner.state()).get("fence") == relay._lease.fence)


async def test_a_quarantined_record_is_announced_by_coordinates_and_reason_alone(corner: Corner) -> None:
    desk = await ledgers.desk(corner.ledger)
    async with running(corner.relay()):
        await desk.take(batch(b"canary-7319 is no JSON", first=41))
        letters = await eventually(lambda: corner.told("dead-letters"), timeout=30)
    # A relay that has just begun may see it twice, in its scan and in its stream; the record's place is its identity.
    letter = letters[0]
    assert all(one == letter for one in letters)
    assert letter["data"] == {
        "service": "bank",
        "topic": "intake",
        "partition": "0",
        "offset": "41",
        "reason": letter["data"]["reason"],
    }
    assert letter["data"]["reason"].startswith("not valid JSON")
    assert "canary" not in json.dumps(letter)
    assert (letter["type"], letter["id"], letter["_key"]) == ("manyi.record.quarantined.v1", *["intake/0/41"] * 2)


async def test_watermarks_say_of_every_partition_how_far_it_is_recorded(corner: Corner) -> None:
    await corner.book(3)
    async with running(corner.relay()):
        await published(corner, s0=2, s1=2, s2=2)
        await eventually(lambda: _marked(corner), timeout=30)
        marks = await corner.told("watermarks")
    topic = f"{corner._prefix}customer-events"
    assert {mark["_key"] for mark in marks} == {f"{topic}/{partition}" for partition in range(FEW_PARTITIONS)}
    assert {mark["recordedthrough"] for mark in marks} == {moment_text(NOON - WATERMARK_MARGIN)}
    assert {(mark["service"], mark["topic"]) for mark in marks} == {("bank", topic)}
    assert sorted(mark["partition"] for mark in marks) == list(range(FEW_PARTITIONS))


async def _marked(corner: Corner) -> bool:
    return len(await corner.told("watermarks")) >= FEW_PARTITIONS


async def test_an_event_too_large_for_the_topic_is_refused_before_it_is_recorded(corner: Corner) -> None:
    large = booking("s0", "e", 1)
    with pytest.raises(Refusal, match="the event would have"):
        await carried_out(corner.ledger, booking("s0", "x", 1, codes=["code"] * 200_000))
    async with running(corner.relay()):
        await carried_out(corner.ledger, large, booking("s0", "n", 1, "a long note " * 200_000))
        await published(corner, s0=3)


async def test_a_backup_put_in_the_place_of_the_database_is_relayed_on(
    corner: Corner, stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    """Dropping what it watches ends every change stream, also one resumed from a token of the backup."""
    await corner.book(3)
    before = corner.relay()
    async with running(before):
        await published(corner, s0=2, s1=2, s2=2)
        await idle(corner, before)
    await before.release()
    vault = Vault(stack.mongo, namespace.database_prefix, ledgers.MASTER, tmp_path)
    await vault.put_back(await vault.take(ledgers.SERVICE), ledgers.SERVICE)
    await corner.ledger.prepare()
    await corner.book(3, first=3)
    async with running(corner.relay()):
        await published(corner, s0=3, s1=3, s2=3)
