"""Stages of a customer and the grade: what orders, contracts and the passing of time make of them."""

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.customer.model.customer import FOR_EVER, Customer
from services.customer.model.grading import (
    Bought,
    Grades,
    GradeUnknown,
    NotYoursToGrade,
    Scores,
    computed,
    override,
    quintiles,
    rfm,
)
from services.customer.model.lifecycle import Business, Patience, aged, awakened
from shared.contracts.customer import CustomerGraded, CustomerLifecycleChanged
from shared.contracts.decision import Said
from tests.unit.test_policy_packs import POLICIES

ON = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, tzinfo=UTC)
PATIENCE = Patience.of(POLICIES, ON)
GRADES = Grades.of(POLICIES, ON)


def at_stage(stage: str, **more: object) -> Customer:
    return Customer.model_validate({"customer_id": "c", "code": "C-1", "lifecycle": stage, **more})


def stages(said: list[Said]) -> list[tuple[str, str]]:
    return [(one.event.before, one.event.after) for one in said if isinstance(one.event, CustomerLifecycleChanged)]


@pytest.mark.policy("S3-13")
def test_an_order_awakens_and_an_older_one_does_not() -> None:
    assert stages(awakened(at_stage("prospect"), NOW, "order", "shop")) == [("prospect", "active")]
    assert stages(awakened(at_stage("dormant"), NOW, "order", "shop")) == [("dormant", "active")]
    assert stages(awakened(at_stage("churned", ordered_at=NOW), NOW + timedelta(1), "order", "shop")) == [
        ("churned", "won_back")
    ]
    assert awakened(at_stage("churned", ordered_at=NOW), NOW - timedelta(1), "order", "shop") == []
    assert awakened(at_stage("active"), NOW, "order", "shop") == []


@pytest.mark.policy("S3-13")
@pytest.mark.parametrize(
    ("ordered", "contract", "stage", "expected"),
    [
        (364, None, "active", []),
        (365, None, "active", [("active", "dormant")]),
        (729, None, "dormant", []),
        (730, None, "dormant", [("dormant", "churned")]),
        (800, None, "won_back", [("won_back", "churned")]),
        (800, -1, "active", []),
        (800, 1, "active", [("active", "dormant")]),
        (800, FOR_EVER, "active", []),
        (800, None, "prospect", []),
    ],
)
def test_time_makes_dormant_then_churned_and_contracts_count(
    ordered: int, contract: int | datetime | None, stage: str, expected: list[tuple[str, str]]
) -> None:
    until = NOW - timedelta(days=contract) if isinstance(contract, int) else contract
    business = Business(NOW - timedelta(days=ordered), until)
    said = aged(at_stage(stage), business, PATIENCE, NOW)
    assert stages(said) == expected
    assert all(one.time <= NOW and one.policy_version for one in said)


@pytest.mark.policy("S3-07")
@given(st.dictionaries(st.integers(), st.integers(-(10**12), 10**12), max_size=40))
def test_equal_values_score_alike_and_larger_ones_never_less(values: dict[int, int]) -> None:
    scores = quintiles(values)
    assert all(1 <= score <= 5 for score in scores.values())
    ordered = sorted(values, key=lambda key: values[key])
    for left, right in itertools.pairwise(ordered):
        assert scores[left] <= scores[right]
        assert (values[left] != values[right]) or scores[left] == scores[right]


@pytest.mark.policy("S3-07")
def test_the_grade_follows_from_the_scores_and_currencies_are_never_added() -> None:
    customers = {number: Bought(400 - 10 * number, number, {"CNY": 100 * number}) for number in range(1, 11)}
    customers[0] = Bought(395, 1, {"USD": 5})
    scores = rfm(customers)
    assert scores[10] == Scores(5, 5, 5)
    assert scores[1] == Scores(1, 1, 1)
    assert scores[0].money == 1
    assert [GRADES.grade(Scores(*three)) for three in ((5, 5, 5), (4, 3, 2), (2, 2, 2), (1, 1, 1))] == list("ABCD")


@pytest.mark.policy("S3-07")
def test_a_decided_grade_needs_a_role_and_is_not_computed_away() -> None:
    state = at_stage("active", grade="B")
    with pytest.raises(NotYoursToGrade, match="group_leader"):
        override(state, "A", "strategic", ["specialist"], GRADES, NOW)
    with pytest.raises(GradeUnknown, match="A, B, C, D"):
        override(state, "Z", "strategic", ["director"], GRADES, NOW)
    said = override(state, "A", "strategic", ["director"], GRADES, NOW)
    assert isinstance(said[0].event, CustomerGraded)
    assert said[0].private == {"reason": "strategic"}
    fixed = at_stage("active", grade="A", grade_fixed=True)
    assert computed(fixed, Scores(1, 1, 1), GRADES, NOW) == []
    assert [
        one.event.after
        for one in computed(state, Scores(1, 1, 1), GRADES, NOW)
        if isinstance(one.event, CustomerGraded)
    ] == ["D"]
