"""Which fields change by approval alone, and who decides on them."""

from datetime import UTC, date, datetime

import pytest

from services.customer.model.customer import Customer
from services.customer.model.key_changes import (
    CreditGoesAlone,
    KeyFieldNeedsApproval,
    KeyFields,
    ask,
    refuse_direct,
    refuse_mark,
)
from shared.contracts.key_changes import KeyChangeRequested
from shared.policy.approvals.acting import Acting
from tests.unit.test_policy_packs import POLICIES

ON = date(2026, 10, 9)
NOW = datetime(2026, 10, 9, 2, tzinfo=UTC)
FILE = Customer(customer_id="c1", code="K-1", company="华东精密", region="华东")
KEYS = KeyFields.of(POLICIES, ON)
WHO = Acting(person="u-1", roles=frozenset({"specialist"}))


def asked(**fields: object) -> KeyChangeRequested:
    (told,) = ask(FILE, "r", fields, WHO, POLICIES, ON, NOW)
    assert isinstance(told.event, KeyChangeRequested)
    assert "values" in told.private
    assert told.policy_version is not None
    assert told.policy_version.startswith("s1s2s3-general/S2/")
    return told.event


@pytest.mark.policy("S2-19")
@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"company": "华北精密"}, ["company"]),
        ({"company": "华东精密", "region": "华东"}, []),
        ({"industry": "optics"}, []),
        ({"region": "华北", "company": "华北精密", "needs": "x"}, ["company", "region"]),
        ({"key_mark": True}, ["key_mark"]),
        ({"key_mark": False}, []),
        ({"credit": "good"}, ["credit"]),
    ],
    ids=["another", "the same", "the first word", "two", "the key mark", "no key mark as before", "the first credit"],
)
def test_what_changes_a_key_field(fields: dict[str, object], named: list[str]) -> None:
    assert KEYS.changed(FILE, fields) == named
    if named:
        with pytest.raises(KeyFieldNeedsApproval, match=", ".join(named)):
            refuse_direct(FILE, KEYS, fields)
    else:
        refuse_direct(FILE, KEYS, fields)


@pytest.mark.policy("S2-19")
@pytest.mark.parametrize(
    ("fields", "steps"),
    [
        ({"region": "华北"}, ["group_leader"]),
        ({"region": "华北", "company": "华北精密"}, ["director"]),
        ({"key_mark": True}, ["director"]),
    ],
)
def test_the_strictest_chain_of_all_fields_decides(fields: dict[str, object], steps: list[str]) -> None:
    assert asked(**fields).steps == steps


@pytest.mark.policy("S2-19")
def test_a_file_is_opened_with_a_first_grade_but_not_as_a_key_customers() -> None:
    for state in (None, FILE):
        with pytest.raises(KeyFieldNeedsApproval, match="open the file without it"):
            refuse_mark(state, KEYS, {"key_mark": True, "grade": "A"})
        refuse_mark(state, KEYS, {"key_mark": False, "grade": "A"})
    refuse_mark(FILE.model_copy(update={"key_mark": True}), KEYS, {"key_mark": True})
    refuse_mark(None, KeyFields({}), {"key_mark": True})


@pytest.mark.policy("S2-13")
def test_finance_decides_on_the_credit_and_on_nothing_that_comes_with_it() -> None:
    assert asked(credit="good").steps == ["finance"]
    with pytest.raises(CreditGoesAlone, match="request of its own"):
        asked(credit="good", company="华北精密")
