"""Versions of policies are announced before they take effect; everybody says once to have read them."""

from datetime import UTC, date, datetime, timedelta

import pytest

from services.customer.model.announced import (
    Announced,
    PolicyReadAlready,
    PolicyVersionUnknown,
    acknowledge,
    announce,
    evolve,
)
from shared.contracts import announcing as said
from shared.contracts.decision import Said
from shared.policy.shelf import read_policies

(PACK,) = read_policies(["s0-enterprise"]).packs
(DOCUMENT,) = PACK.documents
VERSION = DOCUMENT.versions[0]
NOW = datetime(2026, 1, 5, 2, tzinfo=UTC)


def announced(on: date, state: Announced | None = None) -> list[Said]:
    return announce(state, "e1", PACK.pack, DOCUMENT.document, VERSION, on, NOW)


@pytest.mark.policy("S1-23")
def test_a_version_is_announced_from_its_day_on_and_once() -> None:
    assert announced(VERSION.announced - timedelta(days=1)) == []
    (told,) = announced(VERSION.announced)
    assert isinstance(told.event, said.PolicyAnnounced)
    assert told.event.announced < told.event.effective_from
    assert announced(VERSION.announced, evolve(None, told.event, {})) == []


@pytest.mark.policy("S1-23")
def test_everybody_says_once_to_have_read_it_and_once_more_after_a_training() -> None:
    with pytest.raises(PolicyVersionUnknown):
        acknowledge(None, "wang", trained=False, now=NOW)
    state = evolve(None, announced(VERSION.announced)[0].event, {})
    for by, trained in (("wang", False), ("wang", True), ("li", True)):
        state = evolve(state, acknowledge(state, by, trained, NOW)[0].event, {})
    assert [(one.by, one.trained) for one in state.readers] == [("wang", True), ("li", True)]
    for trained in (False, True):
        with pytest.raises(PolicyReadAlready):
            acknowledge(state, "wang", trained, NOW)
