"""State and journal on the real MongoDB: one transaction, one winner, and nothing private that can be read."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fastapi.responses import JSONResponse
from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateOne
from pymongo.errors import PyMongoError

from shared.contracts.decision import Refusal
from shared.contracts.envelope import Envelope
from shared.plumbing.clock import ManualClock
from shared.plumbing.commands import Asked, carry_out, prepare_commands
from shared.plumbing.hiding import open_documents
from shared.plumbing.journal import DECIDED_WITHIN, Cause, Draft, Ledger, Loaded, Stale, in_transaction
from shared.plumbing.problems import Problem
from tests.support import ledgers
from tests.support.ledgers import EVENTS, Account, booking, cancelling, carried_out, decided, opening, stored
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
CANARY = "canary-7319"


@pytest.fixture
async def ledger(stack: RealStack, namespace: Namespace) -> AsyncIterator[Ledger]:
    async with ledgers.ledger(stack, namespace) as found:
        yield found


async def journal(ledger: Ledger, account: str) -> list[dict[str, Any]]:
    return await ledger.database["journal"].find({"subject": account}).sort("revision", 1).to_list(None)


async def everything(ledger: Ledger) -> dict[str, list[dict[str, Any]]]:
    """All documents as they are stored, collection by collection."""
    names = sorted(await ledger.database.list_collection_names())
    return {name: await ledger.database[name].find().sort("_id", 1).to_list(None) for name in names}


async def test_a_state_is_the_fold_of_its_journal_public_and_private(ledger: Ledger) -> None:
    await carried_out(ledger, opening("a", "王芳"), booking("a", "e1", 5, "first"), booking("a", "e2", 7))
    await carried_out(ledger, booking("a", "e3", 11, "third"), cancelling("a", "e2"))
    await carried_out(ledger, cancelling("a", "e1"))
    folded: Account | None = None
    for record in await journal(ledger, "a"):
        event = EVENTS[record["type"]].model_validate(json.loads(record["event"])["data"])
        private = {**record, "sealed": record.get("private")}
        opened = await open_documents(ledger.keyring, [("journal", private)])
        folded = ledgers.evolve(folded, event, opened["journal", record["_id"]])
    assert folded is not None
    assert folded == await stored(ledger, "a")
    assert (folded.owner_name, folded.total, folded.entries["e1"].note) == ("王芳", 11, "first")


async def test_revisions_have_no_gaps_and_envelopes_are_complete(ledger: Ledger) -> None:
    await carried_out(ledger, opening("a"), booking("a", "e1", 5), booking("b", "e2", 5))
    await carried_out(ledger, booking("a", "e3", 5))
    records = await journal(ledger, "a")
    envelopes = [Envelope.model_validate_json(record["event"]) for record in records]
    assert [envelope.revision for envelope in envelopes] == [1, 2, 3]
    assert [record["_id"] for record in records] == ["a:1", "a:2", "a:3"]
    first = envelopes[0]
    assert (first.source, first.subject, first.partitionkey) == ("manyi/bank", "a", "a")
    assert (first.actor, first.correlationid, first.causationid) == ("test", "correlation", "cause")
    assert len({envelope.id for envelope in envelopes}) == 3


async def test_recorded_time_never_runs_backwards_for_a_subject(ledger: Ledger) -> None:
    clock = ledger.clock
    assert isinstance(clock, ManualClock)
    await carried_out(ledger, opening("a"))
    clock.advance(timedelta(hours=-3))
    await carried_out(ledger, booking("a", "e", 1), opening("b"))
    times = [record["recorded"] for record in await journal(ledger, "a")]
    assert times[0] == times[1]
    assert [record["recorded"] for record in await journal(ledger, "b")] == [times[0] - timedelta(hours=3)]


async def test_of_racing_writers_one_wins_and_nothing_is_half_written(ledger: Ledger) -> None:
    await carried_out(ledger, opening("a"))
    drafts = [await decided(ledger, booking("a", f"e{number}", 1), opening(f"n{number}")) for number in range(8)]
    outcomes = await asyncio.gather(*(ledger.commit(draft) for draft in drafts), return_exceptions=True)
    won = [number for number, outcome in enumerate(outcomes) if outcome is None]
    assert len(won) == 1
    assert all(isinstance(outcome, Stale) for number, outcome in enumerate(outcomes) if number not in won)
    documents = await everything(ledger)
    assert [entry["_id"] for entry in documents["entries"]] == [f"e{won[0]}"]
    assert [account["_id"] for account in documents["accounts"]] == ["a", f"n{won[0]}"]
    assert len(documents["journal"]) == 3


async def test_of_two_who_open_the_same_subject_one_wins(ledger: Ledger) -> None:
    drafts = [await decided(ledger, opening("a", name)) for name in ("one", "two")]
    outcomes = await asyncio.gather(*(ledger.commit(draft) for draft in drafts), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "Stale"]
    assert len(await journal(ledger, "a")) == 1


async def test_a_late_writer_of_a_changed_state_is_stale(ledger: Ledger) -> None:
    await carried_out(ledger, opening("a"))
    late = await decided(ledger, booking("a", "e1", 1))
    await carried_out(ledger, booking("a", "e2", 2))
    before = await everything(ledger)
    with pytest.raises(Stale):
        await ledger.commit(late)
    assert await everything(ledger) == before


async def test_what_was_decided_long_ago_is_not_recorded(ledger: Ledger) -> None:
    """Paused in between, it would be recorded on a day that watermarks have called complete."""
    late = await decided(ledger, booking("a", "e1", 1))
    assert isinstance(ledger.clock, ManualClock)
    ledger.clock.advance(DECIDED_WITHIN + timedelta(seconds=1))
    with pytest.raises(Stale):
        await ledger.commit(late)
    assert await journal(ledger, "a") == []
    await carried_out(ledger, booking("a", "e1", 1))
    assert len(await journal(ledger, "a")) == 2


@pytest.mark.parametrize(
    "extra",
    [
        [InsertOne({"_id": "taken"})],
        [DeleteOne({"_id": "not there"})],
        [ReplaceOne({"_id": "not there"}, {}), UpdateOne({"_id": "taken"}, {"$set": {"again": True}})],
    ],
    ids=["insert", "delete", "replacement-beside-an-update"],
)
async def test_another_document_that_cannot_be_written_undoes_all(ledger: Ledger, extra: list[Any]) -> None:
    await ledger.database["more"].insert_one({"_id": "taken"})
    draft = await decided(ledger, booking("a", "e", 1))
    for operation in extra:
        draft.write("more", operation)
    with pytest.raises(Stale):
        await ledger.commit(draft)
    assert await stored(ledger, "a") is None
    assert await journal(ledger, "a") == []


async def test_a_refused_rule_leaves_the_draft_as_it_was(ledger: Ledger) -> None:
    draft = Draft()
    refused = booking("a", "e", -1)
    await ledger.load(draft, [refused])
    with pytest.raises(Refusal):
        ledger.decide(draft, refused, ledger.clock.now(), Cause())
    await ledger.commit(draft)
    assert await everything(ledger) == {"journal": []}


async def test_a_part_that_was_not_loaded_is_neither_lost_nor_overwritten(ledger: Ledger) -> None:
    await carried_out(ledger, booking("a", "e1", 1, "kept"))
    await carried_out(ledger, booking("a", "e2", 2))
    state = await stored(ledger, "a")
    assert state is not None
    assert {name: entry.note for name, entry in state.entries.items()} == {"e1": "kept", "e2": None}
    # The rule did not name the entry it needs, finds none, and its insert collides instead of replacing.
    careless = replace(booking("a", "e1", 100), parts={})
    with pytest.raises(Stale):
        await carried_out(ledger, careless)
    assert await stored(ledger, "a") == state


async def test_a_part_of_another_subject_is_out_of_reach(ledger: Ledger) -> None:
    await carried_out(ledger, booking("a", "e1", 1))
    with pytest.raises(Stale):
        await carried_out(ledger, booking("b", "e1", 100))
    assert await stored(ledger, "b") is None


async def test_private_fields_are_unreadable_in_every_raw_document(ledger: Ledger) -> None:
    await carried_out(ledger, opening("a", CANARY), booking("a", "e", 5, CANARY))
    await prepare_commands(ledger)
    await carry_out(ledger, booking("a", "f", 6, CANARY), request("k"), lambda _: {"told": CANARY})
    assert CANARY not in str(await everything(ledger))
    state = await stored(ledger, "a")
    assert state is not None
    assert (state.owner_name, state.entries["e"].note) == (CANARY, CANARY)


async def test_sealed_fields_moved_to_another_document_do_not_open(ledger: Ledger) -> None:
    await carried_out(ledger, opening("a", "one"), opening("b", "two"))
    sealed = await ledger.database["accounts"].find_one({"_id": "a"})
    assert sealed is not None
    moved = {"sealed": sealed["sealed"], "person": sealed["person"]}
    await ledger.database["accounts"].update_one({"_id": "b"}, {"$set": moved})
    with pytest.raises(Exception, match="accounts/b"):
        await stored(ledger, "b")


def request(key: str | None, body: str = "body") -> Asked:
    return Asked("test", "correlation", None, key, body)


def told(loaded: Loaded[Account]) -> dict[str, Any]:
    assert loaded.state is not None
    return {"total": loaded.state.total, "version": loaded.version}


def answered(response: JSONResponse) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(bytes(response.body))
    return content


async def test_the_same_idempotency_key_gets_the_first_answer_and_records_once(ledger: Ledger) -> None:
    await prepare_commands(ledger)
    tasks = [booking("a", f"e{number}", 1) for number in range(6)]
    racing = await asyncio.gather(*(carry_out(ledger, task, request("k"), told) for task in tasks))
    later = await carry_out(ledger, booking("a", "late", 1), request("k"), told)
    assert {json.dumps(answered(response)) for response in (*racing, later)} == {'{"total": 1, "version": 2}'}
    assert sum("idempotency-replayed" in response.headers for response in (*racing, later)) == 6
    assert len(await journal(ledger, "a")) == 2


async def test_the_same_key_for_another_request_is_refused(ledger: Ledger) -> None:
    await carry_out(ledger, booking("a", "e", 1), request("k"), told)
    with pytest.raises(Problem) as refused:
        await carry_out(ledger, booking("a", "f", 1), request("k", "another body"), told)
    assert (refused.value.status, refused.value.slug) == (422, "idempotency-key-reused")
    assert len(await journal(ledger, "a")) == 2


async def test_without_a_key_racing_commands_are_all_recorded(ledger: Ledger) -> None:
    tasks = [booking("a", f"e{number}", 1) for number in range(4)]
    answers = await asyncio.gather(*(carry_out(ledger, task, request(None), told) for task in tasks))
    assert sorted(answered(answer)["total"] for answer in answers) == [1, 2, 3, 4]


async def test_what_fails_inside_a_transaction_leaves_nothing(ledger: Ledger) -> None:
    async def body(session: Any) -> None:
        await ledger.database["more"].insert_one({"_id": 1}, session=session)
        raise RuntimeError("stop here")

    with pytest.raises(RuntimeError, match="stop here"):
        await in_transaction(ledger.client, body)

    async def refused(session: Any) -> None:
        await ledger.database["more"].insert_one({"_id": 1}, session=session)
        await ledger.database.command("noSuchCommand", session=session)

    with pytest.raises(PyMongoError):
        await in_transaction(ledger.client, refused)
    assert await ledger.database["more"].count_documents({}) == 0
