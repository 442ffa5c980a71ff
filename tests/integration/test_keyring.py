"""A key for each person, on the real MongoDB: apart from the data, rotated, and gone for good once destroyed."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

import pytest
from aiokafka import TopicPartition

from shared.contracts.decision import Refusal
from shared.plumbing.database import Session
from shared.plumbing.hiding import open_documents
from shared.plumbing.journal import Draft, Ledger
from shared.plumbing.rewrapping import reseal
from shared.plumbing.sealing import Seal, Unsealable
from shared.plumbing.store import Kept, Move, Parked, Writes
from shared.plumbing.store_mongo import MongoStore
from tests.support import ledgers
from tests.support.ledgers import (
    MASTER,
    NOON,
    Account,
    booking,
    cancelling,
    carried_out,
    decided,
    keyring,
    opening,
    stored,
)
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
NEW = b"\x09" * 32


@pytest.fixture
async def ledger(stack: RealStack, namespace: Namespace) -> AsyncIterator[Ledger]:
    async with ledgers.ledger(stack, namespace) as found:
        yield found


async def owner(ledger: Ledger, account: str) -> Account:
    state = await stored(ledger, account)
    assert state is not None
    return state


async def test_every_person_has_a_key_of_its_own_outside_the_data(ledger: Ledger, namespace: Namespace) -> None:
    await carried_out(ledger, opening("a", "one"), opening("b", "two"), booking("c", "e", 1))
    await carried_out(ledger, booking("a", "f", 1, "note"))
    keys = await ledger.client[f"{namespace.database_prefix}keys"]["persons"].find().sort("_id", 1).to_list()
    assert [key["_id"] for key in keys] == ["a", "b"]
    marks = {
        document["_id"]: document["sealed"][:8]
        for name in ("accounts", "entries")
        async for document in ledger.database[name].find({"sealed": {"$exists": True}})
    }
    assert marks["a"] == marks["f"] != marks["b"]


async def test_without_the_keys_the_data_gives_nothing_and_the_service_does_not_start(
    ledger: Ledger, namespace: Namespace
) -> None:
    await carried_out(ledger, opening("a", "one"))
    await ledger.client.drop_database(f"{namespace.database_prefix}keys")
    fresh = Ledger(ledger.client, ledger.database, keyring(ledger.client, namespace), ledger.clock, "bank")
    assert (await owner(fresh, "a")).owner_name is None
    with pytest.raises(SystemExit, match="restore the keys"):
        await fresh.prepare()


async def test_a_destroyed_key_leaves_the_numbers_and_takes_the_words(ledger: Ledger) -> None:
    await carried_out(ledger, opening("a", "one"), booking("a", "e", 5, "note"), opening("b", "two"))
    await carried_out(ledger, replace(booking("a", "f", 6, "last"), forgets="a"))
    erased = await owner(ledger, "a")
    assert (erased.total, erased.entries["e"].amount, erased.entries["e"].note) == (11, 5, None)
    assert (erased.owner_name, erased.entries["f"].note) == (None, None)
    journal = await ledger.database["journal"].find({"subject": "a"}).to_list()
    documents = [("journal", {**record, "sealed": record["private"]}) for record in journal if "private" in record]
    assert len(documents) == 2
    assert list((await open_documents(ledger.keyring, documents)).values()) == [{}, {}]
    assert (await owner(ledger, "b")).owner_name == "two"


async def test_a_key_read_while_it_was_being_destroyed_is_not_remembered(ledger: Ledger) -> None:
    await carried_out(ledger, opening("a", "one"), booking("a", "e", 5, "note"))
    destroy = ledger.keyring.destroy

    async def read_meanwhile(person: str, at: datetime, session: Session) -> list[str]:
        gone = await destroy(person, at, session)
        assert (await owner(ledger, "a")).entries["e"].note == "note"
        return gone

    ledger.keyring.destroy = read_meanwhile  # type: ignore[method-assign]
    await carried_out(ledger, replace(booking("a", "f", 6, "last"), forgets="a"))
    journal = await ledger.database["journal"].find({"subject": "a"}).to_list()
    documents = [("journal", {**record, "sealed": record["private"]}) for record in journal if "private" in record]
    assert list((await open_documents(ledger.keyring, documents)).values()) == [{}, {}]


async def test_who_is_known_anew_gets_another_key_and_the_old_words_stay_gone(ledger: Ledger) -> None:
    await carried_out(ledger, opening("a", "one"), booking("a", "e", 5, "before"))
    await carried_out(ledger, replace(cancelling("a", "e"), forgets="a"))
    await carried_out(ledger, booking("a", "f", 6, "after"))
    found = (await owner(ledger, "a")).entries
    assert (found["e"].note, found["f"].note) == (None, "after")


async def test_a_key_made_anew_elsewhere_takes_the_place_of_the_one_remembered(
    ledger: Ledger, namespace: Namespace
) -> None:
    await carried_out(ledger, booking("a", "e", 5, "before"))
    await carried_out(ledger, booking("a", "f", 6, "remembered"))
    elsewhere = Ledger(ledger.client, ledger.database, keyring(ledger.client, namespace), ledger.clock, "bank")
    await carried_out(elsewhere, replace(booking("a", "g", 7), forgets="a"))
    await carried_out(elsewhere, booking("a", "h", 8, "anew"))
    await carried_out(ledger, booking("a", "i", 9, "after"))
    found = (await owner(elsewhere, "a")).entries
    assert [found[name].note for name in "efghi"] == [None, None, None, "anew", "after"]


async def test_what_was_refused_forgets_nobody(ledger: Ledger) -> None:
    await carried_out(ledger, opening("a", "one"))
    with pytest.raises(Refusal):
        await carried_out(ledger, replace(booking("a", "e", -1), forgets="a"))
    assert (await owner(ledger, "a")).owner_name == "one"


async def test_two_who_make_the_same_key_at_once_end_with_one(ledger: Ledger, namespace: Namespace) -> None:
    other = Ledger(
        ledger.client,
        ledger.client[f"{namespace.database_prefix}other"],
        keyring(ledger.client, namespace),
        ledger.clock,
        "other",
    )
    mine, theirs = await decided(ledger, opening("a", "one")), await decided(other, opening("a", "eins"))
    await ledger.commit(mine)
    await other.commit(theirs)
    assert ((await owner(ledger, "a")).owner_name, (await owner(other, "a")).owner_name) == ("one", "eins")


async def test_a_rotation_wraps_every_key_anew_and_the_old_master_opens_none(
    ledger: Ledger, namespace: Namespace
) -> None:
    await carried_out(ledger, *(opening(f"a{number}", f"owner {number}") for number in range(7)))
    rotating = keyring(ledger.client, namespace, NEW, MASTER)
    assert await rotating.rewrap() == 7
    assert await rotating.rewrap() == 0
    after = Ledger(ledger.client, ledger.database, keyring(ledger.client, namespace, NEW), ledger.clock, "bank")
    assert (await owner(after, "a3")).owner_name == "owner 3"
    before = Ledger(ledger.client, ledger.database, keyring(ledger.client, namespace, MASTER), ledger.clock, "bank")
    with pytest.raises(Unsealable):
        await owner(before, "a3")


async def test_after_a_rotation_a_parked_event_opens_with_the_new_key_alone(ledger: Ledger) -> None:
    def store(*masters: bytes) -> MongoStore:
        return MongoStore(ledger.client, ledger.database, Seal(*masters), name="numbers", owner="test")

    topic, before = TopicPartition("cases", 3), store(MASTER)
    parked = Parked("cases", "k", 2, "e2", Kept("cases", 3, 0, b"key", b"event"), NOON)
    await before.prepare(["cases"])
    cursor = (await before.claim([topic]))[topic]
    await before.commit({topic: Move(cursor, 1, NOON)}, Writes(park=[parked]))
    await before.close()
    assert await reseal(ledger.database, Seal(NEW, MASTER)) == 2
    assert await reseal(ledger.database, Seal(NEW, MASTER)) == 0
    assert await store(NEW).parked({"cases": ["k"]}) == {("cases", "k", 2): parked}
    with pytest.raises(Unsealable):
        await store(MASTER).parked({"cases": ["k"]})


async def test_what_belongs_to_nobody_is_closed_with_the_service_key(ledger: Ledger) -> None:
    draft = Draft()
    document: dict[str, object] = {"_id": "x"}
    draft.hide(document, b"raw", "quarantine/x")
    draft.write("quarantine", ledgers.anything())
    await ledger.commit(draft)
    sealed = document["sealed"]
    assert isinstance(sealed, bytes)
    assert "person" not in document
    assert Seal(MASTER).open_bytes(sealed, "quarantine/x") == b"raw"
