"""The promise of the last release: what was readable then must be readable for ever (ARCHITECTURE §3).

`released/` holds the JSON schema of every event and intake type as last released; a test compares today's with them.
`python -m shared.contracts.release` writes them anew and refuses while one is narrower, unless `--accept-narrower` says
that nothing was released under these names yet.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared.contracts.catalogue import CATALOGUE
from shared.contracts.envelope import Event
from shared.contracts.intake import CUSTOMER_INTAKE, FEEDBACK_INTAKE, SURVEY_INTAKE, Intake

RELEASED = Path(__file__).parent / "released"
SUFFIX = ".schema.json"
Schema = dict[str, Any]

_TELLS_NOTHING = {"title", "description", "default", "examples", "$defs", "deprecated"}
_LOWEST = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
_HIGHEST = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}
_JUDGED = {
    "type", "enum", "const", "anyOf", "pattern", "format", "properties", "required", "additionalProperties",
    "patternProperties", "items", "prefixItems", "propertyNames",
}  # fmt: skip


def schemas() -> dict[str, Schema]:
    """Wire type → JSON schema of its `data`, of every type said or taken in today."""
    models: list[type[Event] | type[Intake]] = [entry.event for entry in CATALOGUE.values()]
    intake: list[type[Event] | type[Intake]] = [*CUSTOMER_INTAKE, *SURVEY_INTAKE, *FEEDBACK_INTAKE]
    return {model.TYPE: model.model_json_schema(by_alias=True) for model in (*models, *intake)}


def released() -> dict[str, Schema]:
    """Wire type → JSON schema of the last release."""
    return {path.name.removesuffix(SUFFIX): json.loads(path.read_text()) for path in RELEASED.glob(f"*{SUFFIX}")}


def narrowed(before: dict[str, Schema], today: dict[str, Schema]) -> list[str]:
    """A sentence for each way in which something readable `before` is not readable, or not said, `today`."""
    found = []
    for wire, old in sorted(before.items()):
        if wire in today:
            found += [f"{wire}: {sentence}" for sentence in narrower(old, today[wire])]
        else:
            found.append(f"{wire}: the type is gone; keep its class, with an upcaster, beside the new version")
    return found


def narrower(old: Schema, new: Schema) -> list[str]:
    """A sentence for each narrowing from `old` to `new`; nothing when every old value still fits."""
    return list(_Comparison(old, new).compare(old, new, "data"))


class _Comparison:
    """Two schema documents side by side; references are followed each in its own."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old, new

    def compare(self, old: Any, new: Any, at: str) -> Iterator[str]:
        old, new = _followed(old, self._old), _followed(new, self._new)
        yield from self._alternatives(old, new, at) if "anyOf" in old or "anyOf" in new else self._one(old, new, at)

    def _alternatives(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        choices = new.get("anyOf", [new])
        for number, alternative in enumerate(old.get("anyOf", [old])):
            answers = [list(self.compare(alternative, choice, at)) for choice in choices]
            if all(answers):
                same = _followed(alternative, self._old).get("type")
                alike = [
                    a for a, c in zip(answers, choices, strict=True) if _followed(c, self._new).get("type") == same
                ]
                yield from alike[0] if alike else [f"{at}: alternative {number + 1} ({same}) is no longer allowed"]

    def _one(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        yield from _kinds(old, new, at)
        yield from _limits(old, new, at)
        for word in ("pattern", "format"):
            if word in new and new[word] != old.get(word):
                yield f"{at}: {word} {new[word]!r} is new or changed (was {old.get(word)!r})"
        yield from self._properties(old, new, at)
        yield from self._below(old, new, at)
        for word in sorted({*old, *new} - _TELLS_NOTHING - _LOWEST - _HIGHEST - _JUDGED):
            if old.get(word) != new.get(word):
                yield f"{at}: {word!r} differs, and this gate cannot tell whether that is narrower"

    def _properties(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in before:
            if name not in after:
                yield f"{at}.{name}: the property was removed"
            else:
                yield from self.compare(before[name], after[name], f"{at}.{name}")
        for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
            yield f"{at}.{name}: the property became required"
        patterns = new.get("patternProperties", {})
        for pattern, values in old.get("patternProperties", {}).items():
            rest = new.get("additionalProperties", True)
            if pattern in patterns:
                yield from self.compare(values, patterns[pattern], f"{at}[{pattern}]")
            elif not patterns and rest is not False:
                yield from self.compare(values, rest, f"{at}[*]")
            else:
                yield f"{at}: names like {pattern} are no longer allowed"
        if patterns and not old.get("patternProperties") and old.get("type") == "object":
            yield f"{at}: names must now fit {', '.join(patterns)}"
        if "additionalProperties" in new and new["additionalProperties"] is not True:
            known = old.get("additionalProperties", True)
            if new["additionalProperties"] is False:
                if known is not False:
                    yield f"{at}: further properties are no longer allowed"
            elif known is not False:
                yield from self.compare({} if known is True else known, new["additionalProperties"], f"{at}[*]")

    def _below(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        for word, place in (("items", f"{at}[]"), ("propertyNames", f"{at} (names)")):
            if word in new:
                yield from self.compare(old.get(word, {}), new[word], place)
        before, after = old.get("prefixItems", []), new.get("prefixItems", [])
        for number, item in enumerate(after):
            yield from self.compare(before[number] if number < len(before) else {}, item, f"{at}[{number}]")


def _followed(schema: Any, document: Schema) -> Schema:
    """The schema a reference points to; True and absence allow everything."""
    if schema is True:
        return {}
    while "$ref" in schema:
        schema = document["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    answer: Schema = schema
    return answer


def _kinds(old: Schema, new: Schema, at: str) -> Iterator[str]:
    """Types, enumerations and constants."""
    if "type" in new:
        allowed = _listed(new["type"])
        missing = [kind for kind in _listed(old.get("type", "anything")) if kind not in allowed]
        missing = [kind for kind in missing if not (kind == "integer" and "number" in allowed)]
        if missing:
            yield f"{at}: type {', '.join(missing)} is no longer allowed, only {', '.join(allowed)}"
    choices = _choices(new)
    if choices is not None:
        before = _choices(old)
        if before is None:
            yield f"{at}: only {choices} are allowed now"
        elif gone := [choice for choice in before if choice not in choices]:
            yield f"{at}: {gone} is no longer allowed"


def _limits(old: Schema, new: Schema, at: str) -> Iterator[str]:
    for word in sorted(_LOWEST & set(new)):
        if word not in old or new[word] > old[word]:
            yield f"{at}: {word} {new[word]} is stricter than {old.get(word, 'none')}"
    for word in sorted(_HIGHEST & set(new)):
        if word not in old or new[word] < old[word]:
            yield f"{at}: {word} {new[word]} is stricter than {old.get(word, 'none')}"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _choices(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    choices: list[Any] | None = schema.get("enum")
    return choices


def main(arguments: list[str]) -> int:
    """Write today's schemas as released. Status 1, and nothing written, while one is narrower than before."""
    today = schemas()
    found = narrowed(released(), today)
    if found and "--accept-narrower" not in arguments:
        sys.stderr.write("\n".join(found) + "\n")
        return 1
    RELEASED.mkdir(exist_ok=True)
    for wire, schema in today.items():
        (RELEASED / f"{wire}{SUFFIX}").write_text(
            json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        )
    for wire in set(released()) - set(today):
        (RELEASED / f"{wire}{SUFFIX}").unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
