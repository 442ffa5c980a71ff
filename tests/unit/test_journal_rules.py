"""What a rule says is noted whole or not at all."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.contracts.decision import Said, Scene
from shared.contracts.envelope import Event
from shared.contracts.state import State
from shared.contracts.survey import CampaignClosed
from shared.plumbing.clock import ManualClock
from shared.plumbing.database import open_client
from shared.plumbing.journal import Aggregate, Cause, Draft, EventTooLarge, Ledger, Loaded, Task
from shared.plumbing.keyring import Keyring
from shared.plumbing.sealing import BlindIndex, Seal

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOBODY = "mongodb://127.0.0.1:1/"


class Closings(State):
    count: int


def evolve(state: Closings | None, event: Event, private: Mapping[str, Any]) -> Closings:
    if state is not None and private.get("breaks"):
        raise ValueError("cannot be folded")
    return Closings(count=1 + (state.count if state else 0))


CLOSINGS = Aggregate("closings", Closings, evolve, lambda _state: "key")


@pytest.fixture
async def ledger() -> AsyncIterator[Ledger]:
    """A ledger whose database is never asked."""
    client = open_client(NOBODY)
    keyring = Keyring(client["unused"], Seal(bytes(32)), BlindIndex(bytes(32)))
    yield Ledger(client, client["unused"], keyring, ManualClock(NOON), "test")
    await client.close()


def draft() -> Draft:
    empty = Draft()
    empty.read["closings", "c"] = empty.now["closings", "c"] = Loaded(None)
    return empty


def task(*said: Said) -> Task[Closings]:
    def decide(_state: Closings | None, _scene: Scene) -> Sequence[Said]:
        return said

    return Task(CLOSINGS, "c", decide)


def closed(campaign: str = "c", **private: object) -> Said:
    return Said(CampaignClosed(campaign_id=campaign, at=NOON), NOON, private)


async def test_sentences_get_revisions_without_gaps(ledger: Ledger) -> None:
    held = draft()
    decided = ledger.decide(held, task(closed(), closed()), NOON, Cause())
    assert [record["revision"] for record in held.journal] == [1, 2]
    assert held.now["closings", "c"] is decided
    assert decided.version == 2


async def test_a_rule_that_breaks_half_way_notes_nothing(ledger: Ledger) -> None:
    held = draft()
    with pytest.raises(ValueError, match="cannot be folded"):
        ledger.decide(held, task(closed(), closed(breaks=True)), NOON, Cause())
    assert held.journal == []
    assert held.now["closings", "c"].version == 0


async def test_an_event_too_large_for_a_topic_is_refused_before_it_holds_up_the_relay(ledger: Ledger) -> None:
    held = draft()
    huge = Said(CampaignClosed.model_construct(campaign_id="c" * 1_100_000, at=NOON), NOON)
    with pytest.raises(EventTooLarge, match="send less"):
        ledger.decide(held, task(huge), NOON, Cause())
    assert held.journal == []
