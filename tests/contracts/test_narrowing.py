"""The gate against narrower contracts: what it compares, and that it catches each kind of narrowing."""

import copy
from typing import Any

import pytest

from shared.contracts.release import narrowed, narrower, released, schemas

ADVICE = """
What was promised is narrower now, so events already written, or sent by others, could no longer be read:
  {}
Make the change additive (a new optional field), or say it as the next version beside this one with an upcaster.
Only while nothing was ever released under the name: python -m shared.contracts.release --accept-narrower"""

OLD: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id"],
    "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[a-z]+$"},
        "amount": {"type": "integer", "minimum": -5, "maximum": 5},
        "share": {"type": "number", "exclusiveMinimum": 0},
        "mode": {"type": "string", "enum": ["web", "phone"]},
        "at": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}], "default": None},
        "who": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Who"}]},
        "codes": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
        "scale": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "integer"}]},
        "dims": {"type": "object", "patternProperties": {"^[a-z]+$": {"type": "string", "maxLength": 9}}},
        "anything": {},
        "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
    },
    "$defs": {"Who": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}},
}


def edited(path: str, value: Any) -> dict[str, Any]:
    """A copy of OLD with one place set, or taken away when the value is `...`."""
    new = copy.deepcopy(OLD)
    *way, last = path.split("/")
    place: Any = new
    for step in way:
        place = place[int(step) if isinstance(place, list) else step]
    if value is ...:
        del place[last]
    elif isinstance(place, list):
        place[int(last)] = value
    else:
        place[last] = value
    return new


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("properties/amount", ..., "data.amount: the property was removed"),
        ("required", ["id", "amount"], "data.amount: the property became required"),
        ("properties/amount/type", "string", "data.amount: type integer is no longer allowed, only string"),
        ("properties/share/type", "integer", "data.share: type number is no longer allowed"),
        ("properties/amount/minimum", -4, "data.amount: minimum -4 is stricter than -5"),
        ("properties/amount/maximum", 4, "data.amount: maximum 4 is stricter than 5"),
        ("properties/share/exclusiveMinimum", 1, "data.share: exclusiveMinimum 1"),
        ("properties/share/maximum", 1, "data.share: maximum 1 is stricter than none"),
        ("properties/share/multipleOf", 2, "'multipleOf' differs"),
        ("properties/id/minLength", 2, "data.id: minLength 2"),
        ("properties/id/maxLength", 100, "data.id: maxLength 100"),
        ("properties/id/pattern", "^[a-f]+$", "data.id: pattern"),
        ("properties/mode/pattern", "^w", "data.mode: pattern '^w' is new or changed"),
        ("properties/mode/enum", ["web"], "data.mode: ['phone'] is no longer allowed"),
        ("properties/mode", {"const": "web"}, "data.mode: ['phone'] is no longer allowed"),
        ("properties/id/enum", ["a"], "data.id: only ['a'] are allowed now"),
        (
            "properties/at",
            {"type": "string", "format": "date-time"},
            "data.at: alternative 2 (null) is no longer allowed",
        ),
        ("properties/at/anyOf/0/format", "date", "data.at: format 'date' is new or changed"),
        ("properties/who/anyOf/1", {"type": "null"}, "data.who: alternative 2 (object) is no longer allowed"),
        ("$defs/Who/required", ["id", "source"], "data.who.source: the property became required"),
        ("$defs/Who/properties/id/maxLength", 5, "data.who.id: maxLength 5"),
        ("properties/codes/items/maxLength", 5, "data.codes[]: maxLength 5"),
        ("properties/codes/maxItems", 2, "data.codes: maxItems 2"),
        ("properties/codes/minItems", 1, "data.codes: minItems 1"),
        ("properties/codes/uniqueItems", True, "'uniqueItems' differs"),
        ("properties/scale/prefixItems/1/minimum", 0, "data.scale[1]: minimum 0"),
        ("properties/dims/patternProperties", {"^[a-f]+$": {"type": "string"}}, "names like ^[a-z]+$"),
        ("properties/dims/patternProperties/^[a-z]+$/maxLength", 8, "data.dims[^[a-z]+$]: maxLength 8"),
        ("properties/anything/type", "string", "data.anything: type anything is no longer allowed"),
        ("properties/counts/additionalProperties", False, "data.counts: further properties are no longer allowed"),
        ("properties/counts/additionalProperties/minimum", 0, "data.counts[*]: minimum 0"),
        ("properties/counts/patternProperties", {"^x": {}}, "data.counts: names must now fit ^x"),
        ("properties/counts/propertyNames", {"pattern": "^x"}, "data.counts (names): pattern"),
    ],
)
def test_every_kind_of_narrowing_is_caught(path: str, value: Any, sentence: str) -> None:
    found = narrower(OLD, edited(path, value))
    assert len(found) == 1
    assert sentence in found[0]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("properties/fresh", {"type": "string"}),
        ("required", []),
        ("additionalProperties", True),
        ("properties/amount/type", "number"),
        ("properties/amount/type", ["integer", "string"]),
        ("properties/amount/minimum", -6),
        ("properties/amount/maximum", ...),
        ("properties/id/maxLength", 300),
        ("properties/id/pattern", ...),
        ("properties/mode/enum", ["web", "phone", "visit"]),
        ("properties/mode/enum", ...),
        ("properties/mode", {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ("properties/at", {}),
        ("properties/at/default", "2026-01-01T00:00:00Z"),
        ("properties/who/anyOf", [{"type": "null"}, {"type": "string"}, {"$ref": "#/$defs/Who"}]),
        ("$defs/Who/properties/source", {"type": "string"}),
        ("properties/codes/items", {}),
        ("properties/dims", {"type": "object"}),
        ("description", "said otherwise"),
    ],
)
def test_additive_changes_pass(path: str, value: Any) -> None:
    assert narrower(OLD, edited(path, value)) == []


def test_a_type_that_is_gone_is_caught_and_a_new_one_passes() -> None:
    assert narrowed({}, {"manyi.new.v1": OLD}) == []
    assert "manyi.old.v1: the type is gone" in narrowed({"manyi.old.v1": OLD}, {"manyi.new.v1": OLD})[0]


def test_nothing_is_narrower_than_released() -> None:
    before = released()
    assert len(before) > 40
    assert all(schema["type"] == "object" for schema in before.values())
    found = narrowed(before, schemas())
    assert not found, ADVICE.format("\n  ".join(found))
