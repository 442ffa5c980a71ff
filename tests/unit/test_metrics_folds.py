"""What facts count: folds, points, and the edge cases METRICS names."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.reporting.configuration import definition_in_force
from services.reporting.metrics.catalogue import Catalogue, catalogue_of
from services.reporting.metrics.metric import Tally, Window, period_around
from shared.contracts import customer, feedback
from shared.contracts.envelope import Event
from shared.contracts.survey import Answer, SurveyResponded
from shared.plumbing.projection import Fact, Heard, Unfit, zone_named

CATALOGUE: Catalogue = catalogue_of(definition_in_force(None))
MARCH = Window("2026-03-01", "2026-04-01")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if "+" not in text else datetime.fromisoformat(text)


def folded(name: str, *said: Event, zone: str = "UTC", time: str = "2026-03-10T12:00") -> Fact:
    projection = next(known for known in CATALOGUE.projections if known.name == name)
    fact: Fact | None = None
    for revision, event in enumerate(said, 1):
        heard = Heard(
            str(revision), event.TYPE, projection.kind, "s", revision, at(time), at(time), zone_named(zone), event
        )
        fact = projection.fold(fact, heard)
    assert fact is not None
    return fact


def weighed(metric: str, fact: Fact, window: Window) -> Tally:
    counted = CATALOGUE.metrics[metric]
    return counted.weigh(counted.family.entries(fact), fact, window)


def order(number: str, moment: str, **more: Any) -> customer.PurchaseRecorded:
    return customer.PurchaseRecorded(
        customer_id="s", purchase_id=number, amount=100, currency="CNY", occurred_at=at(moment), **more
    )


def signed(start: str, end: str | None = None, **more: Any) -> customer.ContractSigned:
    fields = {"contract_id": "k", "monthly_amount": 1_000, "currency": "CNY", **more}
    return customer.ContractSigned(customer_id="s", starts_at=at(start), ends_at=at(end) if end else None, **fields)


def test_d20_orders_of_one_local_day_merge() -> None:
    orders = [order("1", "2026-03-10T16:30"), order("2", "2026-03-11T03:00")]
    shanghai = folded("customers", *orders, zone="Asia/Shanghai")
    assert weighed("repurchase_rate", shanghai, MARCH)["repeaters"] == 0
    utc = folded("customers", *orders)
    assert weighed("repurchase_rate", utc, MARCH)["repeaters"] == 1


def test_d20_cancelled_and_refunded_orders_are_out() -> None:
    void = {"customer_id": "s", "amount": 100, "currency": "CNY", "occurred_at": at("2026-03-02T00:00")}
    fact = folded(
        "customers",
        order("1", "2026-03-02T00:00"),
        order("2", "2026-03-03T00:00"),
        order("3", "2026-03-04T00:00"),
        customer.PurchaseCancelled(purchase_id="1", **void),
        customer.PurchaseRefunded(purchase_id="2", refunded=100, full=True, **void),
        customer.PurchaseRefunded(purchase_id="3", refunded=40, full=False, **void),
    )
    assert weighed("purchases", fact, MARCH) == {
        "n": 1,
        "days": 1,
        "buyers": 1,
        "repeaters": 0,
        "amount:CNY": 100,
    }


def test_d16_a_contract_of_no_tenure_counts_at_its_first_instant() -> None:
    fact = folded(
        "customers",
        signed("2026-03-01T00:00"),
        customer.ContractEnded(customer_id="s", contract_id="k", ended_at=at("2026-03-30T23:59")),
    )
    assert weighed("logo_churn", fact, MARCH) == {"start": 1, "lost": 1, "start:CNY": 1_000, "lost:CNY": 1_000}


def test_d16_left_and_returned_within_the_period_is_no_churn() -> None:
    fact = folded(
        "customers",
        signed("2026-01-01T00:00", "2026-03-05T00:00"),
        signed("2026-03-20T00:00", contract_id="again"),
    )
    assert weighed("logo_churn", fact, MARCH)["lost"] == 0
    assert weighed("logo_churn", fact, Window("2026-03-01", "2026-03-10"))["lost"] == 1


def test_d16_new_in_the_period_is_ignored() -> None:
    fact = folded("customers", signed("2026-03-01T00:01", "2026-03-20T00:00"))
    assert weighed("logo_churn", fact, MARCH) == {}


def test_d16_without_a_contract_an_order_keeps_active_for_the_dormancy() -> None:
    fact = folded("customers", order("1", "2025-03-15T10:00"))
    assert weighed("logo_churn", fact, MARCH) == {"start": 1, "lost": 1}
    assert weighed("logo_churn", fact, Window("2026-02-01", "2026-03-01")) == {"start": 1, "lost": 0}


def test_d17_revenue_follows_changes_renewals_and_ends() -> None:
    fact = folded(
        "customers",
        signed("2026-01-01T00:00", "2026-02-01T00:00"),
        customer.ContractRenewed(customer_id="s", contract_id="k", ends_at=None, at=at("2026-01-20T00:00")),
        customer.ContractChanged(
            customer_id="s", contract_id="k", monthly_amount=700, currency="CNY", at=at("2026-02-10T00:00")
        ),
        customer.ContractEnded(customer_id="s", contract_id="k", ended_at=at("2026-03-05T12:00")),
    )
    assert weighed("revenue_churn", fact, Window("2026-02-01", "2026-03-01"))["start:CNY"] == 1_000
    assert weighed("revenue_churn", fact, MARCH) == {"start": 1, "lost": 1, "start:CNY": 700, "lost:CNY": 700}
    assert weighed("revenue_churn", fact, Window("2026-04-01", "2026-05-01")) == {}


def test_an_end_in_the_year_9999_is_open() -> None:
    fact = folded("customers", signed("2026-01-01T00:00", "9999-12-31T00:00"))
    assert fact["contracts"]["k"]["end"] is None


def test_d15_and_d13_of_a_reopened_case() -> None:
    opened = feedback.ComplaintOpened(case_id="s", opened_at=at("2026-03-01T00:00"))
    first = feedback.CaseResolved(case_id="s", at=at("2026-03-02T00:00"))
    late = feedback.CaseReopened(case_id="s", cycle=2, at=at("2026-04-02T00:00"))
    soon = feedback.CaseReopened(case_id="s", cycle=2, at=at("2026-04-01T00:00"))
    assert weighed("reopen_rate", folded("cases", opened, first, late), MARCH) == {"resolved": 1}
    assert weighed("reopen_rate", folded("cases", opened, first, soon), MARCH) == {"resolved": 1, "soon": 1}
    again = feedback.CaseResolved(case_id="s", cycle=2, at=at("2026-04-03T00:00"), time_known=False)
    fact = folded("cases", opened, first, soon, again)
    assert weighed("resolution_time", fact, MARCH) == {f"hours={24 * 3_600_000}": 1}
    moved = feedback.CaseResolved(case_id="s", at=at("2026-03-03T00:00"))
    assert weighed("resolution_time", folded("cases", opened, first, moved), MARCH) == {f"hours={48 * 3_600_000}": 1}


def test_d12_automatic_replies_do_not_count_and_the_unanswered_are_told() -> None:
    opened = feedback.ComplaintOpened(case_id="s", opened_at=at("2026-03-01T00:00"))
    automatic = feedback.CaseResponded(case_id="s", at=at("2026-03-01T00:01"), human=False)
    assert weighed("first_response_time", folded("cases", opened, automatic), MARCH) == {"opened": 1}
    human = [feedback.CaseResponded(case_id="s", at=at(f"2026-03-01T0{hour}:00")) for hour in (3, 2, 5)]
    tally = weighed("first_response_time", folded("cases", opened, automatic, *human), MARCH)
    assert tally == {"opened": 1, "reply=7200000": 1}


def test_d14_the_last_verdict_told_wins_and_none_is_not_counted() -> None:
    opened = feedback.ComplaintOpened(case_id="s", opened_at=at("2026-03-01T00:00"))
    kept = feedback.CaseClosed(case_id="s", at=at("2026-03-02T00:00"), sla_kept=True)
    broken = feedback.CaseClosed(case_id="s", at=at("2026-03-09T00:00"), sla_kept=False)
    own = feedback.CaseClosed(case_id="s", at=at("2026-03-09T00:00"))
    assert weighed("sla_kept", folded("cases", opened, kept, broken), MARCH) == {"closed": 1}
    assert CATALOGUE.metrics["sla_kept"].family.entries(folded("cases", opened, own)) == []


def test_d14_the_verdict_of_the_last_cycle_counts_in_whatever_order_it_is_told() -> None:
    opened = feedback.ComplaintOpened(case_id="s", opened_at=at("2026-03-01T00:00"))
    first = feedback.CaseClosed(case_id="s", cycle=1, at=at("2026-03-02T00:00"), sla_kept=True, priority="1")
    second = feedback.CaseClosed(case_id="s", cycle=2, at=at("2026-03-09T00:00"), sla_kept=False, priority="3")
    in_order, late = folded("cases", opened, first, second), folded("cases", opened, second, first)
    assert in_order["closed"] == late["closed"]
    assert in_order["closed"]["priority"] == "3"


def test_only_complaints_are_complaints() -> None:
    praised = folded("cases", feedback.PraiseOpened(case_id="s", opened_at=at("2026-03-01T00:00")))
    assert CATALOGUE.metrics["complaints_opened"].family.entries(praised) == []


def test_a_step_of_a_case_never_opened_is_unfit() -> None:
    with pytest.raises(Unfit):
        folded("cases", feedback.CaseClosed(case_id="s", at=at("2026-03-02T00:00")))


@pytest.mark.parametrize(("value", "scale"), [(6, (1, 5)), (0, (1, 5)), (3, (5, 1)), (10**30, (1, 10**31))])
def test_an_answer_outside_its_scale_is_unfit(value: int, scale: tuple[int, int]) -> None:
    answer = Answer(question="q", metric="rating", value=value, scale=scale)
    with pytest.raises(Unfit):
        folded("responses", SurveyResponded(response_id="s", answers=[answer]))


def test_the_day_is_the_one_of_the_sources_zone() -> None:
    said = SurveyResponded(response_id="s", answers=[])
    assert folded("responses", said, time="2026-03-01T02:00", zone="America/Sao_Paulo")["day"] == "2026-02-28"


def test_standard_periods() -> None:
    assert period_around("quarter", "2026-05-17") == ("2026-04-01", "2026-07-01")
    assert period_around("year", "2026-12-31") == ("2026-01-01", "2027-01-01")
    assert Window("2026-04-01", "2026-07-01").standard == "quarter"
    assert Window("2026-04-02", "2026-07-01").standard is None
    assert Window(None, "2026-07-01").month_aligned
