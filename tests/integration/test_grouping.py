"""Commands that come at the same time share a transaction, and nothing else: each has its own answer or refusal."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi.responses import JSONResponse
from pymongo.errors import BulkWriteError

from shared.contracts.decision import Refusal
from shared.plumbing.commands import Answer, Asked, carry_out, prepare_commands
from shared.plumbing.journal import Draft, Ledger, Loaded, OutcomeUnknown
from tests.support import ledgers
from tests.support.ledgers import Account, booking, stored
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack


@pytest.fixture
async def ledger(stack: RealStack, namespace: Namespace) -> AsyncIterator[Ledger]:
    async with ledgers.ledger(stack, namespace) as found:
        await prepare_commands(found)
        yield found


@pytest.fixture
async def other_process(stack: RealStack, namespace: Namespace) -> AsyncIterator[Ledger]:
    """A second writer on the same database."""
    async with ledgers.ledger(stack, namespace) as found:
        yield found


def request(key: str | None = None) -> Asked:
    return Asked("test", "correlation", None, key, "body")


def told(loaded: Loaded[Account]) -> dict[str, Any]:
    assert loaded.state is not None
    return {"total": loaded.state.total}


def total(response: JSONResponse) -> int:
    found: int = json.loads(bytes(response.body))["total"]
    return found


def counted(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many events each commit wrote, in order."""
    sizes: list[int] = []
    commit = ledger.commit

    async def counting(draft: Draft) -> None:
        await commit(draft)
        sizes.append(len(draft.journal))

    monkeypatch.setattr(ledger, "commit", counting)
    return sizes


async def test_what_waits_together_is_recorded_together(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    await carry_out(ledger, booking("a", "first", 1), request(), told)
    sizes = counted(ledger, monkeypatch)
    answers = await asyncio.gather(
        *(carry_out(ledger, booking("a", f"e{number}", 1), request(), told) for number in range(300))
    )
    assert sorted(map(total, answers)) == list(range(2, 302))
    assert sum(sizes) == 300
    assert len(sizes) <= 4


async def test_one_that_fails_takes_no_other_with_it(ledger: Ledger) -> None:
    def broken(_loaded: Loaded[Account]) -> dict[str, Any]:
        raise RuntimeError("cannot be shown")

    outcomes = await asyncio.gather(
        carry_out(ledger, booking("a", "e1", 5), request("k1"), told),
        carry_out(ledger, booking("a", "e2", -1), request("k2"), told),
        carry_out(ledger, booking("b", "e3", 7), request("k3"), broken),
        carry_out(ledger, booking("a", "e4", 11), request("k4"), told),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [Answer, Refusal, RuntimeError, Answer]
    account = await stored(ledger, "a")
    assert account is not None
    assert {name: entry.amount for name, entry in account.entries.items()} == {"e1": 5, "e4": 11}
    assert await stored(ledger, "b") is None
    assert await ledger.database["answers"].distinct("_id") == ["k1", "k4"]


async def test_one_that_the_database_refuses_takes_no_other_with_it(ledger: Ledger) -> None:
    """Whatever the reason: here a rule on the collection, elsewhere a document that has grown too large."""
    await ledger.database.create_collection("entries", validator={"amount": {"$ne": 13}})
    outcomes = await asyncio.gather(
        *(carry_out(ledger, booking(f"a{amount}", f"e{amount}", amount), request(), told) for amount in (11, 13, 17)),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [Answer, BulkWriteError, Answer]
    assert await ledger.database["accounts"].distinct("total") == [11, 17]


async def test_what_belongs_together_is_recorded_as_a_whole_or_not_at_all(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = counted(ledger, monkeypatch)
    outcomes = await asyncio.gather(
        carry_out(ledger, booking("a", "e1", 5), request("k1"), told, also=[booking("b", "e2", -1)]),
        carry_out(ledger, booking("a", "e3", 7), request("k2"), told, also=[booking("b", "e4", 11)]),
        carry_out(ledger, booking("a", "e5", 13), request("k3"), told),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [Refusal, Answer, Answer]
    accounts = [await stored(ledger, name) for name in ("a", "b")]
    assert [account and account.total for account in accounts] == [20, 11]
    assert await ledger.database["answers"].distinct("_id") == ["k2", "k3"]
    assert sizes == [5]


async def test_two_processes_that_race_record_all_and_each_key_once(ledger: Ledger, other_process: Ledger) -> None:
    answers = await asyncio.gather(
        *(
            carry_out(writer, booking("a", f"{key}-{place}", 1), request(key), told)
            for key in map(str, range(40))
            for place, writer in enumerate((ledger, other_process))
        )
    )
    by_key = [{total(answer) for answer in pair} for pair in zip(answers[::2], answers[1::2], strict=True)]
    assert all(len(seen) == 1 for seen in by_key)
    assert sorted(set.union(*by_key)) == list(range(1, 41))
    assert await ledger.database["journal"].count_documents({}) == 41


async def test_nobody_is_told_of_success_when_the_outcome_is_unknown(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unknown(_draft: Draft) -> None:
        raise OutcomeUnknown

    with monkeypatch.context() as broken:
        broken.setattr(ledger, "commit", unknown)
        outcomes = await asyncio.gather(
            *(carry_out(ledger, booking("a", f"e{number}", 1), request(), told) for number in range(3)),
            return_exceptions=True,
        )
    assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown] * 3
    assert total(await carry_out(ledger, booking("a", "after", 1), request(), told)) == 1


async def test_a_caller_who_left_holds_up_nobody(ledger: Ledger) -> None:
    leaving = asyncio.create_task(carry_out(ledger, booking("a", "e1", 1), request(), told))
    staying = asyncio.create_task(carry_out(ledger, booking("a", "e2", 1), request(), told))
    await asyncio.sleep(0)
    leaving.cancel()
    assert total(await staying) in (1, 2)
    assert leaving.cancelled() or total(await leaving) == 1
