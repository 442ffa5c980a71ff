"""Rules of entitlements: who has better terms, what a repurchase earns, that each is used once and in time."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.customer.model.customer import Customer
from services.customer.model.entitlements import (
    Eligible,
    EntitledAlready,
    EntitlementNotActive,
    EntitlementUnknown,
    NotEligible,
    Terms,
    forfeited,
    grant,
    revoke,
    rewarded,
    use,
)
from services.customer.model.file_after import evolve
from services.customer.model.files import About, CustomerErased
from services.customer.model.purchases import cancel, place, refund
from shared.contracts import entitlements as said
from shared.contracts.decision import Said
from shared.policy.policies import LimitUnset
from tests.support.limits import limited
from tests.unit.test_policy_packs import POLICIES

ON = date(2026, 10, 9)
NOW = datetime(2026, 10, 9, 2, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
FILE = Customer(customer_id="c1", code="K-1", grade="A", credit="good")
SET = limited({"credit.terms.discount": 3, "repurchase.discount": 5}, unit="percent")
CREDIT, REWARD = Terms.of(SET, "credit_terms", ON), Terms.of(SET, "repurchase", ON)


def after(state: Customer, told: Sequence[Said]) -> Customer:
    for one in told:
        state = evolve(state, one.event, one.private)
    return state


def granted(state: Customer | None = FILE, identifier: str = "e1", terms: Terms = CREDIT) -> list[Said]:
    return grant(state, "c1", identifier, terms, "li", "三年无逾期", Eligible(("A", "B"), ("good",)), NOW, SHANGHAI)


def about(at: datetime, zone: str | None = None) -> About:
    return About(customer_id="c1", source="shop", external_id="1", time=at, timezone=zone)


def bought(state: Customer, purchase: str, at: datetime, terms: Terms | None = REWARD, now: datetime = NOW) -> Customer:
    told = place(state, about(at), purchase, 1_000, "CNY", None, {})
    return after(state, [*told, *rewarded(state, about(at), purchase, terms, now, SHANGHAI)])


@pytest.mark.policy("S3-16", "S3-21")
def test_an_unset_discount_grants_nothing_and_names_itself() -> None:
    with pytest.raises(LimitUnset, match=r"credit\.terms\.discount is not set"):
        Terms.of(POLICIES, "credit_terms", ON)
    with pytest.raises(LimitUnset, match=r"repurchase\.discount is not set"):
        Terms.of(POLICIES, "repurchase", ON)
    assert bought(bought(FILE, "p1", NOW - timedelta(days=2)), "p2", NOW, terms=None).entitlements == {}


@pytest.mark.policy("S3-16")
def test_better_terms_go_to_the_grades_of_good_credit_one_at_a_time() -> None:
    (told,) = granted()
    assert isinstance(told.event, said.EntitlementGranted)
    assert (told.event.percent, told.event.expires_at) == (3, datetime(2027, 10, 9, 16, tzinfo=UTC))
    assert "三年无逾期" not in told.event.model_dump_json()
    assert told.policy_version is not None
    assert "ours/OURS/1" in told.policy_version
    for grade in ("C", None):
        with pytest.raises(NotEligible, match="A, B"):
            granted(FILE.model_copy(update={"grade": grade}))
    for credit in ("fair", None):
        with pytest.raises(NotEligible, match="a credit that is good"):
            granted(FILE.model_copy(update={"credit": credit}))
    holding = after(FILE, [told])
    assert holding.entitlements["e1"].reason == "三年无逾期"
    with pytest.raises(EntitledAlready):
        granted(holding, "e2")
    assert granted(after(holding, revoke(holding, "e1", "逾期", NOW)), "e2")
    assert granted(after(holding, use(holding, "e1", None, NOW)), "e2")
    assert granted(FILE.model_copy(update={"grade": "D"}), terms=REWARD)
    with pytest.raises(CustomerErased):
        granted(FILE.model_copy(update={"erased_at": NOW}))


def test_an_entitlement_is_used_once_and_before_it_expires() -> None:
    holding = after(FILE, granted())
    ends = holding.entitlements["e1"].expires_at
    used = after(holding, use(holding, "e1", "S-2026-17", ends - timedelta(milliseconds=1)))
    assert used.entitlements["e1"].used_for == "S-2026-17"
    with pytest.raises(EntitlementNotActive, match="is used"):
        use(used, "e1", None, NOW)
    with pytest.raises(EntitlementNotActive, match="is expired"):
        use(holding, "e1", None, ends)
    with pytest.raises(EntitlementNotActive, match="is revoked"):
        use(after(holding, revoke(holding, "e1", "逾期", NOW)), "e1", None, NOW)
    for state in (None, FILE):
        with pytest.raises(EntitlementUnknown):
            use(state, "e1", None, NOW)


@pytest.mark.policy("S3-21")
def test_who_orders_again_on_a_later_day_has_earned_one_discount() -> None:
    first = bought(FILE, "p1", datetime(2026, 10, 7, 15, 0, tzinfo=UTC))
    assert first.entitlements == {}
    same_day = bought(first, "p2", datetime(2026, 10, 7, 15, 59, tzinfo=UTC))
    assert same_day.entitlements == {}
    later = bought(first, "p2", datetime(2026, 10, 7, 16, 0, tzinfo=UTC))
    assert {name: one.percent for name, one in later.entitlements.items()} == {"p2": 5}
    assert later.entitlements["p2"].expires_at == datetime(2027, 10, 8, 16, tzinfo=UTC)
    assert bought(first, "p0", datetime(2026, 9, 1, tzinfo=UTC)).entitlements == {}


def test_an_order_of_years_ago_earns_nothing_that_would_be_over() -> None:
    long_ago = NOW - timedelta(days=800)
    assert bought(bought(FILE, "p1", long_ago), "p2", long_ago + timedelta(days=9)).entitlements == {}


@pytest.mark.policy("S3-21")
def test_what_an_order_earned_goes_with_the_order_unless_it_was_used() -> None:
    state = bought(bought(FILE, "p1", NOW - timedelta(days=2)), "p2", NOW)
    told = cancel(state, about(NOW), "p2")
    (gone,) = forfeited(state, about(NOW), "p2", told)
    assert isinstance(gone.event, said.EntitlementRevoked)
    assert gone.event.cause == "order_void"
    part, whole = refund(state, about(NOW), "p2", 999), refund(state, about(NOW), "p2", 1_000)
    assert forfeited(state, about(NOW), "p2", part) == []
    assert len(forfeited(state, about(NOW), "p2", whole)) == 1
    assert forfeited(after(state, use(state, "p2", None, NOW)), about(NOW), "p2", told) == []
    assert forfeited(after(state, [gone]), about(NOW), "p2", told) == []
    assert forfeited(state, about(NOW), "p1", cancel(state, about(NOW), "p1")) == []
