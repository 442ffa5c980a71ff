"""However many customers there are: what is asked is found by an index, and no more is read than is shown."""

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.customer.commands.follow_calendar import nominees_of, parts_of, spendings_of
from services.customer.commands.lapse_requests import Lapsing
from services.customer.desk import STORED, Desk
from services.customer.model.naming import company_parts
from services.customer.staffing import Staffing
from services.customer.views import requests, search, timeline
from services.customer.views.search import containing, reached
from services.customer.views.timeline import NEWEST, behind_of
from shared.plumbing.database import Document
from shared.plumbing.identity import Identity
from shared.plumbing.journal import OWNER, Ledger
from shared.plumbing.timers import Timekeeper, come_by
from shared.policy.shelf import read_policies
from tests.support import ledgers
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
SHOWN = 5


@pytest.fixture
async def ledger(stack: RealStack, namespace: Namespace) -> AsyncIterator[Ledger]:
    async with ledgers.ledger(stack, namespace) as found:
        for view in (requests, search, timeline):
            await view.prepare(found)
        desk = Desk(Identity(ledgers.MASTER), read_policies(["s0-enterprise"]), ZoneInfo("Asia/Shanghai"), found.clock)
        staffing = Staffing(found, desk)
        for chore in (staffing, Lapsing(found, staffing), Timekeeper(found, STORED, lambda _state, _scene: [], "any")):
            await chore.prepare()
        yield found


def stages(plan: Any) -> Iterable[str]:
    """The stages of a plan and of those within."""
    if isinstance(plan, dict):
        if "stage" in plan:
            yield plan["stage"]
        for within in plan.values():
            yield from stages(within)
    elif isinstance(plan, list):
        for within in plan:
            yield from stages(within)


async def looked_at(ledger: Ledger, collection: str, query: Document, sort: list[tuple[str, int]]) -> int:
    """Documents that MongoDB reads to find the first of these; it must not have to sort."""
    cursor = ledger.database[collection].find(query).limit(SHOWN)
    found = await (cursor.sort(sort) if sort else cursor).explain()
    assert not {"SORT", "COLLSCAN"} & set(stages(found["queryPlanner"]["winningPlan"]))
    assert found["executionStats"]["nReturned"] == SHOWN
    return int(found["executionStats"]["totalDocsExamined"])


async def test_a_frequent_part_of_a_name_is_searched_no_further_than_it_is_shown(ledger: Ledger) -> None:
    names = [f"上海{number}号机械有限公司" for number in range(600)]
    await ledger.database["customers"].insert_many(
        {"_id": f"c{number}", "code": f"K{number}", "company_parts": company_parts(name), OWNER: f"u-{number // 10}"}
        for number, name in enumerate(names)
    )
    part = containing("机械")
    everybody = reached({}, part)
    assert await looked_at(ledger, "customers", everybody, []) <= 2 * SHOWN
    own = {"$or": [{OWNER: {"$in": ["u-58", "u-59"]}}, {"_id": {"$in": []}}]}
    assert await looked_at(ledger, "customers", reached(own, part), []) <= 2 * SHOWN
    lists = ledger.database["customers"].find({"$and": [{"merged_into": None}, own]}).sort("_id", 1).limit(SHOWN)
    assert (await lists.explain())["executionStats"]["totalDocsExamined"] <= 20, "the lists of who sees the same alone"


async def test_a_long_part_of_a_name_is_found_among_many_that_begin_alike(ledger: Ledger) -> None:
    names = [f"中国西南油气勘探开发集团股份有限公司四川盆地第{number // SHOWN}号分公司" for number in range(600)]
    await ledger.database["customers"].insert_many(
        {"_id": f"c{number}", "code": f"K{number}", "company_parts": company_parts(name)}
        for number, name in enumerate(names)
    )
    assert await looked_at(ledger, "customers", reached({}, containing(names[-1])), []) <= 2 * SHOWN


async def test_open_requests_counted_by_another_calendar_are_found_among_many_that_are_decided(ledger: Ledger) -> None:
    decided = {"approval": {"status": "approved", "due_at": FIRST, "alarm_at": FIRST, "calendar_version": "old"}}
    due = FIRST + timedelta(days=9)
    waiting = {"approval": {"status": "pending", "due_at": due, "alarm_at": due, "calendar_version": "old"}}
    for collection, query, first in (
        ("spendings", spendings_of("new", FIRST), "timer_at"),
        ("key_changes", parts_of("new", FIRST), "approval.alarm_at"),
        ("merge_requests", parts_of("new", FIRST), "approval.alarm_at"),
    ):
        await ledger.database[collection].insert_many({"_id": f"d{n}", "timer_at": None, **decided} for n in range(600))
        await ledger.database[collection].insert_many(
            {"_id": f"w{n}", "timer_at": due, **waiting} for n in range(SHOWN)
        )
        assert await looked_at(ledger, collection, query, [(first, 1)]) <= 2 * SHOWN
    people = ledger.database["staff"]
    await people.insert_many({"_id": f"d{n}", "timer_at": None, "promotions": {"n": decided}} for n in range(600))
    await people.insert_many({"_id": f"w{n}", "timer_at": due, "promotions": {"n": waiting}} for n in range(SHOWN))
    assert await looked_at(ledger, "staff", nominees_of("new", FIRST), [("timer_at", 1)]) <= 2 * SHOWN


async def test_timers_that_have_come_are_found_among_many_that_have_not_and_many_without(ledger: Ledger) -> None:
    for collection in ("customers", "spendings", "staff"):
        at = [None] * 600 + [FIRST + timedelta(days=day) for day in range(60)]
        documents = ({"_id": f"t{n}", "code": f"T{n}", "timer_at": one} for n, one in enumerate(at))
        await ledger.database[collection].insert_many(documents)
        come = come_by(FIRST + timedelta(days=SHOWN))
        assert await looked_at(ledger, collection, come, [("timer_at", 1)]) <= 2 * SHOWN


async def test_a_page_of_a_long_history_is_read_by_index(ledger: Ledger) -> None:
    history = [
        {
            "_id": f"c:{number}",
            "subject": "c",
            "revision": number,
            "key": "c",
            "at": FIRST + timedelta(days=number // 2),
        }
        for number in range(1, 600)
    ]
    await ledger.database["journal"].insert_many(history)
    query = {"key": {"$in": ["c", "merged-into-c"]}, **behind_of(FIRST + timedelta(days=150), "c", 301)}
    assert await looked_at(ledger, "journal", query, NEWEST) <= 2 * SHOWN
    found = await ledger.database["journal"].find(query).sort(NEWEST).limit(SHOWN).to_list()
    assert [one["revision"] for one in found] == [300, 299, 298, 297, 296]
