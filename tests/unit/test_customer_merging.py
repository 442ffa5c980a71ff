"""Merging and unmerging files: who owns what, and what reporting counts of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.customer.model import contracts, purchases
from services.customer.model.consents import Consent
from services.customer.model.customer import Customer
from services.customer.model.entitled import Entitlement
from services.customer.model.file_after import evolve
from services.customer.model.files import About
from services.customer.model.filing import Code
from services.customer.model.merging import (
    Act,
    MergeRefused,
    MergeTooLarge,
    NotMerged,
    absorb,
    give_up,
    release,
    take_back,
)
from services.reporting.metrics.customers import NOTHING_LEFT, Customers
from shared.contracts.decision import Said
from shared.plumbing.projection import Fact, Heard, zone_named
from tests.unit.test_metrics_folds import CATALOGUE

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
START = datetime(2026, 1, 1, 20, tzinfo=UTC)
ACT = Act("m", NOW, "same company", "pack/doc/1@00000000")
PROJECTION = next(one for one in CATALOGUE.projections if isinstance(one, Customers))


@dataclass
class World:
    """Files as the customer service keeps them, and the facts that reporting folds from what it says of them."""

    files: dict[str, Customer] = field(default_factory=dict)
    facts: dict[str, Fact] = field(default_factory=dict)

    def say(self, subject: str, said: Sequence[Said]) -> None:
        for one in said:
            self.files[subject] = evolve(self.files.get(subject), one.event, one.private)
            zone = zone_named(one.timezone or "Asia/Shanghai")
            heard = Heard("e", one.event.TYPE, "customer", subject, 1, one.time, NOW, zone, one.event)
            if type(one.event) in PROJECTION.hears:
                self.facts[subject] = PROJECTION.fold(self.facts.get(subject), heard)

    def about(self, external: str, at: datetime, zone: str | None) -> tuple[str, About]:
        """What the desk makes of a statement about a foreign id, merged or not."""
        known = self.files.get(external)
        home = (known.merged_into if known else None) or external
        origin = external if home != external else None
        code = Code(f"C-{external}", "v")
        return home, About(
            customer_id=home, source="shop", external_id=external, time=at, timezone=zone, code=code, origin=origin
        )

    def act(self, external: str, kind: str, number: int, day: int, zone: str | None) -> None:
        subject, who = self.about(external, START + timedelta(days=day), zone)
        state = self.files.get(subject)
        name = f"{external}-{number}"
        if kind == "order" and not (state and name in state.purchases):
            self.say(subject, purchases.place(state, who, name, 100 + number, "CNY", "lathes", {"region": external}))
        elif kind == "cancel" and state and name in state.purchases and not state.purchases[name].cancelled:
            self.say(subject, purchases.cancel(state, who, name))
        elif kind == "refund" and state and name in state.purchases and state.purchases[name].refunded == 0:
            self.say(subject, purchases.refund(state, who, name, 60))
        elif kind == "sign" and not (state and name in state.contracts):
            period = (who.time, who.time + timedelta(days=90))
            self.say(subject, contracts.sign(state, who, name, 1000, "CNY", None, period, {}))
        elif kind == "change" and state and name in state.contracts:
            self.say(subject, contracts.change(state, who, name, 1000 + day))
        elif kind == "end" and state and name in state.contracts and who.time >= state.contracts[name].starts_at:
            self.say(subject, contracts.end(state, who, name, None))

    def merge(self) -> None:
        self.say("a", absorb(ACT, self.files["a"], self.files["b"]))
        self.say("b", give_up(ACT, self.files["a"], self.files["b"]))

    def unmerge(self) -> None:
        back = take_back(ACT, self.files["a"], self.files["b"])
        gone = release(ACT, self.files["a"], self.files["b"])
        self.say("b", back)
        self.say("a", gone)


STEPS = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.sampled_from(["order", "order", "cancel", "refund", "sign", "change", "end"]),
        st.integers(0, 2),
        st.integers(0, 300),
        st.sampled_from([None, "Europe/London"]),
    ),
    max_size=14,
)


def opened() -> World:
    world = World()
    for external in "ab":
        world.act(external, "order", 9, 0, None)
    return world


@pytest.mark.policy("S2-15", "S0-34")
@given(before=STEPS, during=STEPS)
def test_a_merge_with_what_came_meanwhile_leaves_no_trace_once_it_is_undone(
    before: list[tuple[str, str, int, int, str | None]], during: list[tuple[str, str, int, int, str | None]]
) -> None:
    merged, apart = opened(), opened()
    for step in before:
        merged.act(*step)
        apart.act(*step)
    alone = dict(apart.facts)
    merged.merge()
    assert merged.facts["b"] == NOTHING_LEFT
    for kind in ("orders", "contracts"):
        assert merged.facts["a"][kind] == {**alone["a"][kind], **alone["b"][kind]}
    for step in during:
        merged.act(*step)
        apart.act(*step)
    merged.unmerge()
    assert merged.facts == apart.facts
    for name in "ab":
        assert merged.files[name].purchases == apart.files[name].purchases
        assert merged.files[name].contracts == apart.files[name].contracts
        assert merged.files[name].merged_into is None


@pytest.mark.policy("S2-15")
def test_a_merge_that_could_not_be_undone_is_refused() -> None:
    a, b, c = (Customer(customer_id=name, code=f"C-{name}") for name in "abc")
    with pytest.raises(MergeRefused, match="itself"):
        absorb(ACT, a, a)
    with pytest.raises(MergeRefused, match="already"):
        absorb(ACT, a, b.model_copy(update={"merged_into": "c"}))
    with pytest.raises(MergeRefused, match="already"):
        absorb(ACT, a.model_copy(update={"merged_into": "c"}), b)
    with pytest.raises(MergeRefused, match="let it survive"):
        absorb(ACT, a, b.model_copy(update={"absorbed": ["c"]}))
    with pytest.raises(NotMerged):
        take_back(ACT, c, b)
    world = opened()
    order = world.files["b"].purchases["b-9"]
    many = b.model_copy(update={"purchases": {str(number): order for number in range(5_001)}})
    with pytest.raises(MergeTooLarge, match="5000"):
        absorb(ACT, a, many)


def test_conversations_entitlements_and_a_no_follow_a_merge_and_what_can_return_returns() -> None:
    early, late = NOW - timedelta(days=90), NOW - timedelta(days=3)
    held = Entitlement(kind="credit_terms", percent=3, granted_at=early, expires_at=NOW + timedelta(days=9), reason="x")
    no = Consent(person_id="b", purpose="greeting", status="withdrawn", since=late)
    files = {
        "a": Customer(customer_id="a", code="C-a", contacted_at=early),
        "b": Customer(
            customer_id="b", code="C-b", contacted_at=late, entitlements={"e": held}, consents={"b:greeting": no}
        ),
    }
    world = World(files)
    world.say("a", absorb(ACT, files["a"], files["b"]))
    world.say("b", give_up(ACT, files["a"], files["b"]))
    survivor = world.files["a"]
    assert survivor.contacted_at == late
    assert survivor.entitlements["e"] == held.model_copy(update={"origin": "b"})
    assert survivor.consents["a:greeting"].status == "withdrawn"
    assert world.files["b"].entitlements == {}
    world.say("b", take_back(ACT, survivor, world.files["b"]))
    world.say("a", release(ACT, survivor, world.files["b"]))
    assert (world.files["a"].contacted_at, world.files["a"].entitlements) == (early, {})
    assert (world.files["b"].contacted_at, world.files["b"].entitlements) == (late, {"e": held})
    assert world.files["a"].consents["a:greeting"].status == "withdrawn", "a no is taken back by a person alone"
