"""Timers on the real MongoDB, by a clock that the test moves: durable, told once, whoever fires them and how often."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest

from services.feedback.commands.open_case import task as opening
from services.feedback.model import own_desk as desk
from services.feedback.model.case import Case
from services.feedback.model.opening import Opening
from services.feedback.views.case_file import STORED
from shared.contracts.decision import Said, Scene
from shared.plumbing.clock import ManualClock
from shared.plumbing.journal import Ledger, Task
from shared.plumbing.timers import LEASE, Timekeeper, leased
from shared.policy.policies import LimitUnset
from tests.support import ledgers
from tests.support.deadlines import deadlines
from tests.support.ledgers import NOON, carried_out
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
SET = deadlines()


@pytest.fixture
async def ledger(stack: RealStack, namespace: Namespace) -> AsyncIterator[Ledger]:
    async with ledgers.ledger(stack, namespace) as found:
        await keeper(found, "any").prepare()
        yield found


def keeper(ledger: Ledger, holder: str) -> Timekeeper[Case]:
    return Timekeeper(ledger, STORED, SET.tell, holder)


def clock(ledger: Ledger) -> ManualClock:
    assert isinstance(ledger.clock, ManualClock)
    return ledger.clock


async def open_cases(ledger: Ledger, *names: str) -> None:
    forms = [
        Opening(case_id=name, source="s", external_id=name, at=NOON, targets=SET.begun(NOON, None)) for name in names
    ]
    await carried_out(ledger, *(opening(form) for form in forms))


async def told(ledger: Ledger) -> list[tuple[str, str, int | None]]:
    query = {"type": {"$regex": "^manyi.sla"}}
    records = await ledger.database["journal"].find(query).sort("_id", 1).to_list()
    data = [json.loads(record["event"])["data"] for record in records]
    return sorted((one["caseId"], one["kind"], one.get("level")) for one in data if one["kind"] == "acknowledge")


async def test_a_deadline_is_told_once_however_often_and_by_however_many_it_fires(ledger: Ledger) -> None:
    await open_cases(ledger, "a", "b")
    assert await keeper(ledger, "one").step() == 0
    clock(ledger).advance(timedelta(days=1, hours=23))
    both = [keeper(ledger, "one"), keeper(ledger, "one")]
    await asyncio.gather(*(one.step() for one in both))
    for one in both:
        await one.step()
    breached = await told(ledger)
    assert breached == sorted(set(breached))
    assert [one for one in breached if one[2] == 0] == [("a", "acknowledge", 0), ("b", "acknowledge", 0)]
    states = await ledger.database["cases"].find({}, {"version": 1, "timers": 1}).to_list()
    for state in states:
        journal = await ledger.database["journal"].count_documents({"subject": state["_id"]})
        assert state["version"] == journal


async def test_a_restart_forgets_nothing_and_a_settled_deadline_is_silent(ledger: Ledger) -> None:
    await open_cases(ledger, "a", "b")
    await carried_out(ledger, Task(STORED, "b", lambda state, scene: desk.acknowledge(state, scene.now, "u")))
    clock(ledger).advance(timedelta(days=30))
    await keeper(ledger, "after the restart").step()
    assert await told(ledger) == [("a", "acknowledge", level) for level in range(4)]
    assert await keeper(ledger, "after the restart").step() == 0


async def test_one_that_is_refused_keeps_no_other_from_being_told(ledger: Ledger) -> None:
    await open_cases(ledger, "a", "b")
    clock(ledger).advance(timedelta(days=30))

    def tell(state: Case | None, scene: Scene) -> Sequence[Said]:
        if state is not None and state.case_id == "a":
            raise LimitUnset("case.escalate.to", "packs/ours.yaml")
        return SET.tell(state, scene)

    assert await Timekeeper(ledger, STORED, tell, "any").step() == 2
    assert {case for case, *_ in await told(ledger)} == {"b"}
    await keeper(ledger, "any").step()
    assert {case for case, *_ in await told(ledger)} == {"a", "b"}, "told once the limit is set"


async def test_a_lease_taken_while_a_clock_was_days_ahead_holds_up_nobody(ledger: Ledger) -> None:
    clock(ledger).advance(timedelta(days=2))
    assert await leased(ledger, "work", "astray")
    clock(ledger).advance(timedelta(days=-2))
    assert await leased(ledger, "work", "other")
    assert not await leased(ledger, "work", "another")


async def test_one_process_has_the_lease_until_it_runs_out(ledger: Ledger) -> None:
    await open_cases(ledger, "a")
    clock(ledger).advance(timedelta(days=30))
    assert await keeper(ledger, "one").step() == 1
    await open_cases(ledger, "b")
    assert await keeper(ledger, "other").step() == 0
    clock(ledger).advance(LEASE)
    assert await keeper(ledger, "other").step() == 1
