"""What was bought, and the lifetime value in both parts, by known answers (METRICS D21, D22)."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.customer.model.grading import Bought, counted_from
from services.customer.model.parts import Purchase
from services.customer.model.worth import Lifetime, Terms, Trade, lifetime, trade
from shared.policy.policies import LimitUnset, Policies
from tests.support.limits import limited, version
from tests.unit.test_policy_packs import POLICIES, pack, setting

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SINCE = datetime(2025, 6, 1, tzinfo=UTC)
TERMS = Terms("CNY", 20, {"A": 5, "D": 40, "Z": 0}, 10, 5, ((500_000, "gold"), (0, "base")), "v")


def bought(days_ago: int, amount: int, *, paid: bool = True, refunded: int = 0, currency: str = "CNY") -> Purchase:
    at = NOW - timedelta(days=days_ago)
    return Purchase(amount=amount, currency=currency, occurred_at=at, paid=paid, refunded=refunded)


def two_years() -> Trade:
    return trade([bought(730, 700_000), bought(1, 300_000)], SINCE, NOW)


@pytest.mark.policy("S2-11")
def test_orders_amounts_frequency_and_payment_are_told_without_void_orders() -> None:
    orders = [
        bought(400, 5_000),
        bought(100, 1_000, refunded=1_000),
        bought(60, 2_000),
        bought(40, 3_000, paid=False, refunded=500),
        bought(40, 700, currency="USD"),
    ]
    found = trade(orders, SINCE, NOW)
    assert (found.orders, found.void) == (4, 1)
    assert found.net == {"CNY": 9_500, "USD": 700}
    assert found.unpaid == {"CNY": 2_500}
    assert found.gap_days == 180, "the median of 340 and 20 days"
    assert found.recent == Bought(40, 3, {"CNY": 4_500, "USD": 700})
    assert (found.first_at, found.last_at) == (orders[0].occurred_at, orders[-1].occurred_at)
    nothing = trade([], SINCE, NOW)
    assert (nothing.orders, nothing.gap_days, nothing.recent) == (0, None, None), "null, not nought"


@pytest.mark.policy("S0-09")
@pytest.mark.parametrize(
    ("grade", "lifecycle", "expected"),
    [
        ("A", "active", Lifetime(200_000, 379_079, 5.0, "gold")),
        ("Z", "active", Lifetime(200_000, 379_079, 5.0, "gold")),
        ("D", "active", Lifetime(200_000, 211_119, 2.5, "base")),
        ("A", "churned", Lifetime(200_000, 0, 0.0, "base")),
        (None, "active", Lifetime(200_000, 0, 0.0, "base")),
    ],
)
def test_the_lifetime_value_is_past_margin_and_what_is_expected_discounted(
    grade: str | None, lifecycle: str, expected: Lifetime
) -> None:
    found = lifetime(two_years(), grade, lifecycle, TERMS, NOW)
    assert found == expected
    assert found.value == expected.past + expected.projected


def test_who_never_bought_has_no_lifetime_value_and_a_young_relation_counts_as_a_year() -> None:
    assert lifetime(trade([], SINCE, NOW), "A", "prospect", TERMS, NOW) is None
    young = lifetime(trade([bought(10, 1_000)], SINCE, NOW), "D", "active", TERMS, NOW)
    assert young == Lifetime(200, 422, 2.5, "base")


@pytest.mark.policy("S2-06", "S3-07")
def test_how_long_orders_count_is_the_policys_and_begins_with_a_day_here() -> None:
    zone = ZoneInfo("Asia/Shanghai")
    assert counted_from(POLICIES, date(2026, 6, 1), zone) == datetime(2025, 6, 1, tzinfo=zone)
    shorter = limited({"rfm.window": 6}, unit="months")
    assert counted_from(shorter, date(2026, 8, 31), zone) == datetime(2026, 2, 28, tzinfo=zone)
    unset = pack(version("1", "2026-01-01", setting("rfm.window", None, unit="months")))
    with pytest.raises(LimitUnset, match=r"rfm\.window is not set"):
        counted_from(Policies([unset, *POLICIES.packs]), date(2026, 6, 1), zone)
