"""Rules that choose customers: what they become as a filter, and which are refused with a sentence."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from services.customer.model.choosing_rule import DEEPEST, MOST_TESTS, RULE, query
from services.customer.model.customer import Customer
from services.customer.model.segments import Segment, SegmentUnknown, drop, evolve, save

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
GRADED = {"field": "grade", "in": ["A", "B"]}


def deep(depth: int) -> dict[str, Any]:
    return GRADED if depth == 1 else {"not": deep(depth - 1)}


@pytest.mark.policy("S2-06", "S2-16")
@pytest.mark.parametrize(
    ("rule", "filtered"),
    [
        (GRADED, {"grade": {"$in": ["A", "B"]}}),
        ({"field": "keyMark", "is": True}, {"key_mark": {"$eq": True}}),
        ({"field": "region", "known": False}, {"region": {"$eq": None}}),
        ({"field": "tag:family", "in": ["lathe"]}, {"dims.family": {"$in": ["lathe"]}}),
        (
            {"field": "orderedAt", "olderThanDays": 90},
            {"ordered_at": {"$lt": NOW - timedelta(days=90)}},
        ),
        (
            {"field": "contactedAt", "withinDays": 30},
            {"contacted_at": {"$gte": NOW - timedelta(days=30), "$lte": NOW}},
        ),
        (
            {"field": "contractedUntil", "aheadDays": 60},
            {"contracted_until": {"$gt": NOW, "$lte": NOW + timedelta(days=60)}},
        ),
        (
            {"all": [GRADED, {"any": [GRADED, {"not": GRADED}]}]},
            {
                "$and": [
                    {"grade": {"$in": ["A", "B"]}},
                    {"$or": [{"grade": {"$in": ["A", "B"]}}, {"$nor": [{"grade": {"$in": ["A", "B"]}}]}]},
                ]
            },
        ),
    ],
)
def test_a_rule_is_a_filter_over_files(rule: dict[str, Any], filtered: dict[str, Any]) -> None:
    read = RULE.validate_python(rule)
    assert query(read, NOW) == filtered
    assert RULE.dump_python(read, by_alias=True, exclude_none=True) == rule, "written down as it was said"


@pytest.mark.policy("S2-06")
@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"field": "phone", "in": ["1"]}, "there is no field 'phone'"),
        ({"field": "$where", "in": ["1"]}, "there is no field"),
        ({"field": "tag:a.b", "in": ["1"]}, "there is no field"),
        ({"field": "grade", "in": [{"$ne": None}]}, "valid string"),
        ({"field": "grade"}, "takes exactly one test of in, known"),
        ({"field": "grade", "in": ["A"], "known": True}, "takes exactly one test"),
        ({"field": "grade", "withinDays": 3}, "takes exactly one test"),
        ({"field": "keyMark", "in": ["true"]}, "takes exactly one test of is"),
        ({"all": []}, "at least 1 item"),
        ({"some": [GRADED]}, "Field required"),
        ({"all": [GRADED] * (MOST_TESTS + 1)}, f"at most {MOST_TESTS}"),
        ({"any": [{"all": [GRADED] * 30}, {"all": [GRADED] * 30}]}, "at most 50 tests"),
        (deep(DEEPEST + 1), f"{DEEPEST} deep"),
        ("grade = A", "valid dictionary"),
    ],
)
def test_an_unsound_rule_is_refused_with_what_it_lacks(rule: Any, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        RULE.validate_python(rule)
    assert RULE.validate_python(deep(DEEPEST))


def test_every_field_of_a_rule_is_one_that_is_stored_open() -> None:
    for name in ("grade", "ownerId", "contactedAt", "orderedAt", "contractedUntil", "keyMark"):
        test: dict[str, Any] = {"is": True} if name == "keyMark" else {"known": True}
        (place,) = query(RULE.validate_python({"field": name, **test}), NOW)
        assert place in set(Customer.model_fields) - Customer.PRIVATE


@pytest.mark.policy("S2-06")
def test_a_segment_counts_its_editions_and_is_dropped() -> None:
    rule = RULE.validate_python(GRADED)
    (first,) = save(None, "s", "重点", rule, NOW)
    state: Segment = evolve(None, first.event, first.private)
    assert save(state, "s", "重点", rule, NOW) == []
    (other,) = save(state, "s", "核心", rule, NOW)
    state = evolve(state, other.event, other.private)
    assert (state.edition, state.name, state.rule) == (2, "核心", GRADED)
    (gone,) = drop(state, "s", NOW)
    with pytest.raises(SegmentUnknown):
        drop(evolve(state, gone.event, gone.private), "s", NOW)
