"""Canary values: what a person would type, in every field of every entrance that may hold something personal."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.alias_generators import to_camel

from shared.contracts.intake import Intake, IntakeAnswer
from tests.support.data_dictionary import INTAKE, aggregates

MARK = "zk7319q"
PHONE = "13877319731"
NAMED = {"phone": PHONE, "email": f"{MARK}@example.com", "creditCode": "91310000MA1K35LC6F", "company": "Open Ltd"}
"""Fields with a form of their own; what is known of an organisation is not personal."""
CODES = frozenset({"customer", "answers", "values", "day", "needs", "reason", "choices"})
"""Names under which one model seals a text and another one says a code."""
TRACES = (MARK.encode(), PHONE.encode())
"""What must be found nowhere."""
FREE_TEXT = 201
"""A string that may be longer than a code is text that somebody writes."""


def personal_names() -> frozenset[str]:
    """Every name under which a model seals something or an intake takes it in, as on the wire."""
    stored = [one for kept in aggregates().values() for one in kept]
    sealed = {name for one in stored for name in one.state.PRIVATE}
    sealed |= {name for one in stored for _, part in one.state.PARTS.values() for name in part.PRIVATE}
    models: list[type[Intake]] = [IntakeAnswer, *(model for models in INTAKE.values() for model in models)]
    taken = {name for model in models for name in model.PERSONAL}
    return frozenset(to_camel(name) for name in sealed | taken) - CODES


class Forms:
    """Bodies after the schemas of one OpenAPI document or model, with a canary wherever text is free or personal."""

    def __init__(self, definitions: Mapping[str, Any], known: Mapping[str, str], *, every_field: bool) -> None:
        self._definitions = definitions
        self._known = known
        self._every = every_field
        self._personal = personal_names()
        self._numbers = itertools.count()

    def filled(self, schema: Mapping[str, Any], name: str = "", within: frozenset[str] = frozenset()) -> Any:
        """A value of this schema; `name` is the field's, `within` the definitions it stands in: none holds itself."""
        if "$ref" in schema:
            definition = str(schema["$ref"]).rpartition("/")[2]
            inner = within | {definition}
            return None if definition in within else self.filled(self._definitions[definition], name, inner)
        for several in ("anyOf", "oneOf", "allOf"):
            if several in schema:
                kinds = [one for one in schema[several] if one.get("type") != "null"]
                return next((found for one in kinds if (found := self.filled(one, name, within)) is not None), None)
        if "const" in schema or "enum" in schema:
            return schema.get("const", schema.get("enum", [None])[0])
        kind = schema.get("type")
        if kind == "object":
            required = schema.get("required", [])
            told = {
                field: self.filled(one, field, within)
                for field, one in schema.get("properties", {}).items()
                if self._every or field in required or self._is_personal(one, field)
            }
            return told or ({f"k{MARK}": MARK} if name in self._personal else {})
        if kind == "array":
            return [one for one in [self.filled(schema.get("items", {}), name, within)] if one is not None]
        if kind in ("integer", "number"):
            return int(schema.get("minimum", schema.get("exclusiveMinimum", 0))) + 1
        if kind == "boolean":
            return True
        return self._text(schema, name)

    def _is_personal(self, schema: Mapping[str, Any], name: str) -> bool:
        kinds = [schema, *schema.get("anyOf", [])]
        return name in self._personal or any(one.get("maxLength", 0) >= FREE_TEXT for one in kinds)

    def _text(self, schema: Mapping[str, Any], name: str) -> str:
        if schema.get("format") in ("date-time", "date"):
            return "2026-03-01T10:00:00Z"[: 20 if schema["format"] == "date-time" else 10]
        if name in self._known:
            return self._known[name]
        if self._is_personal(schema, name):
            return NAMED.get(name, f"{MARK} 王芳{next(self._numbers)}")
        examples = schema.get("examples", [])
        if examples:
            return str(examples[0])
        return "CNY" if name == "currency" else f"c{next(self._numbers)}"


def operations(document: Mapping[str, Any], known: Mapping[str, str]) -> Iterator[tuple[str, str, Any, dict[str, str]]]:
    """Every operation: method, path, JSON body or None, and its free query parameters, each with canaries."""
    definitions = document.get("components", {}).get("schemas", {})
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            form = Forms(definitions, known, every_field=True)
            place = "/".join(
                known.get(step.strip("{}"), "none") if step.startswith("{") else step for step in path.split("/")
            )
            content = told.get("requestBody", {}).get("content", {}).get("application/json")
            sought = {one["name"] for one in told.get("parameters", []) if one["in"] == "query"}
            query = {name: NAMED.get(name, MARK) for name in sorted(sought & (personal_names() | {"id"}))}
            yield method.upper(), place, None if content is None else form.filled(content["schema"]), query
