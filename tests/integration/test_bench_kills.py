"""Bench `peers`: everybody is killed at the same points, and what is lost, doubled or wrong is seen."""

from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from deploy.bench.contestants import chosen
from deploy.bench.events import responses
from deploy.bench.exactness import Exactness, copies, exactness, grouped
from deploy.bench.ground import Ground
from deploy.bench.killing import kills_of
from deploy.bench.peers.shelf import document
from deploy.bench.reference import expected, subjects
from deploy.bench.survival import measure
from tests.support.stack import Namespace, RealStack

NUMBER = 20_000


@pytest.fixture
async def place(stack: RealStack, namespace: Namespace, tmp_path: Path) -> AsyncIterator[Ground]:
    """The suite's Kafka and MongoDB as ground, with topics and databases of this test's own."""
    ground = Ground(stack.kafka, stack.mongo, tmp_path, prefix=namespace.topic_prefix)
    yield ground
    ground.client.close()


async def test_killed_twice_we_lose_double_and_miscount_nothing(place: Ground) -> None:
    told = (await measure(place, 5, NUMBER, 1, chosen(frozenset({"upsert by hand"})), 2)).as_json()
    assert told["facts"]["cuts"] == 20
    assert told["facts"]["cells"] > 1_000
    for figures in (told["ours"], told["peers"]["upsert by hand"]):
        assert figures["events_s"] > 0
        assert (figures["kills"], figures["lost"], figures["doubled"], figures["wrong"]) == (2, 0, 0, 0)


async def test_what_a_peer_lost_and_doubled_is_seen_in_documents_and_cells(place: Ground) -> None:
    few = [value for _, value in responses(300, seed=5)]
    wanted, known = expected(few), subjects(few)
    (peer,) = chosen(frozenset({"ceiling"}))
    documents = peer.contestant(place, 0, natural_ids=False).documents
    written = [document(orjson.loads(value)) for value in few]
    documents.insert_many({**one, "_id": number, "subject": one["_id"]} for number, one in enumerate(written))
    assert exactness(copies(documents), known, grouped(documents), wanted) == Exactness(0, 0, 0)

    documents.delete_one({"_id": 0})
    documents.insert_one({**written[1], "_id": "again", "subject": written[1]["_id"]})
    found = exactness(copies(documents), known, grouped(documents), wanted)
    assert (found.lost, found.doubled) == (1, 1)
    touched = expected(few[:1]).keys() ^ expected(few[1:2]).keys()
    assert found.wrong >= len(touched)


def test_kills_are_the_same_for_the_same_seed_and_in_order() -> None:
    kills = kills_of(7, 20, 60_000)
    assert kills == kills_of(7, 20, 60_000) != kills_of(8, 20, 60_000)
    assert [kill.documents for kill in kills] == sorted({kill.documents for kill in kills})
    assert 3_000 <= kills[0].documents <= kills[-1].documents <= 54_000
