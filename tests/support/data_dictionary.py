"""What is said, taken in and stored, field by field: `python -m tests.support.data_dictionary` writes the page anew.

Everything is read from the catalogue and from the models; what is personal is marked as the code treats it: taken out
of a document and sealed with the key of its person (docs/security.md).
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import services
from shared.contracts.catalogue import CATALOGUE, SPEAKERS
from shared.contracts.envelope import Event
from shared.contracts.intake import CUSTOMER_INTAKE, FEEDBACK_INTAKE, SURVEY_INTAKE, Intake, IntakeAnswer
from shared.contracts.state import Part, State
from shared.plumbing.journal import Aggregate

PAGE = Path(__file__).parents[2] / "docs" / "data-dictionary.md"
HEAD = """# Data dictionary
Written by `python -m tests.support.data_dictionary` from the catalogue and the models; do not edit.

**Personal** fields are sealed at rest with the key of the person they are about, never travel in an event of ours, and
are gone for ever once that key is destroyed. Two kinds of tags stand beside them, keyed hashes that nothing can be read
from: `blind` finds a document by the exact value of a sealed field, `marks` of a customer's file let likely duplicates
meet (sealed and open fields alike; the file of a merged customer has none). A state document has beside its fields
`_id`, `version` (of its last event), `key` (its partition key), `recorded`, and `sealed` with `person` where something
personal is in it; a part has `_id` and `owner`, the subject it belongs to.
"""
BESIDE = {
    "journal": "every event as it was said, in public; its `private` part (personal data, written words, foreign ids), "
    "**personal**, sealed; `link` ties it into the audit's chain",
    "answers": "answers to requests with an Idempotency-Key, 30 days; **personal**, sealed",
    "early": "intake records that wait for what they refer to; **personal**, sealed",
    "quarantine": "records that could not be taken, 30 days, then their verdicts; **personal**, sealed",
    "receipts": "which foreign facts were taken: keyed hashes and outcomes",
    "tallies": "how many foreign events of a type and source came to what",
    "sequences": "the last number given out",
    "leases": "which process does a work that one alone does",
    "relay": "how far the journal is on the topic",
    "topics": "identity of the topics that were seen",
    "grants": "rights given for a time: subject of a token, action, object id",
    "audit": "who read or was denied what: subject of a token, action, object ids",
}
"""What the plumbing keeps in every speaking service."""
OWN = {
    "customer": {
        "heard": "public parts of what the survey and feedback services told of a customer, by event",
        "duplicates": "pairs of files that may be one: ids, score, kinds of mark",
        "marks": "how far rounds over all files got, and since when it is looked who came back after an erasure",
        "qualities": "scores of each file, kinds of fault, instants",
        "imports": "uploaded tables, seven days: columns, counts, states; names of columns alone",
        "import_chunks": "their rows and verdicts; **personal**, sealed with the service's own key",
    },
    "keys": {
        "persons": "the wrapped key of each person; in a database of its own, backed up apart",
        "destroyed": "whose key was destroyed and when; by it erasures are done again after a restored backup",
    },
}
INTAKE: Mapping[str, tuple[type[Intake], ...]] = {
    "customer": CUSTOMER_INTAKE,
    "survey": SURVEY_INTAKE,
    "feedback": FEEDBACK_INTAKE,
}


def aggregates() -> dict[str, list[Aggregate[Any]]]:
    """Service → how its subjects are stored, by collection."""
    found: dict[str, dict[str, Aggregate[Any]]] = {service: {} for service in SPEAKERS}
    for module in pkgutil.walk_packages(services.__path__, "services."):
        if module.name.endswith("__main__"):
            continue
        service = module.name.split(".")[1]
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Aggregate):
                found[service][value.collection] = value
    return {service: [one for _, one in sorted(kept.items())] for service, kept in found.items()}


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_events(), *_intake(), *_stored()])


def _events() -> Iterator[str]:
    yield "## Events\nNothing in an event is personal. `dims` are the dimensions of the fact when it happened.\n"
    for wire, entry in CATALOGUE.items():
        heard = ", ".join(entry.listeners)
        yield f"### {wire}\n{_sentence(entry.event)}\n"
        subject = entry.event.SUBJECT
        a = "an" if subject[0] in "aeiou" else "a"
        yield f"`{entry.event.__name__}` of {a} {subject}, said by {entry.speaker}, heard by {heard}.\n"
        yield from _table(entry.event, {})


def _intake() -> Iterator[str]:
    yield "## Intake\nWhat other systems tell us; topics keep it seven days.\n"
    for service, models in INTAKE.items():
        of_answers: list[type[Intake]] = [IntakeAnswer] if service == "survey" else []
        for model in [*models, *of_answers]:
            yield f"### {getattr(model, 'TYPE', '') or 'one of `answers`'} → {service}\n{_sentence(model)}\n"
            yield from _table(model, dict.fromkeys(model.PERSONAL, "**personal**"))


def _stored() -> Iterator[str]:
    for service, kept in aggregates().items():
        if not kept:
            continue
        yield f"## Stored by {service}\n"
        for one in kept:
            yield f"### {one.collection}\n{_sentence(one.state)}\n"
            yield from _table(one.state, _marks(one.state), frozenset(one.state.PARTS))
            for collection, part in one.state.PARTS.values():
                yield f"### {collection}, parts of {one.collection}\n{_sentence(part)}\n"
                yield from _table(part, _marks(part))
        yield from (f"- `{name}`: {text}" for name, text in OWN.get(service, {}).items())
        yield ""
    yield "## Beside, in each of these services\n"
    yield from (f"- `{name}`: {text}" for name, text in BESIDE.items())
    yield "\n## Keys\n"
    yield from (f"- `{name}`: {text}" for name, text in OWN["keys"].items())
    yield "\nReporting stores facts, cells and changes of public events alone (docs in its README): nothing personal.\n"


def _marks(model: type[State] | type[Part]) -> dict[str, str]:
    found = " (found by its `blind` tag)"
    return {name: f"**personal**, sealed{found if name in model.BLIND else ''}" for name in model.PRIVATE}


def _table(model: type[BaseModel], marks: Mapping[str, str], left_out: frozenset[str] = frozenset()) -> Iterator[str]:
    wire = issubclass(model, Event | Intake)
    schema = model.model_json_schema(mode="validation" if wire else "serialization", by_alias=wire)
    aliases = {(field.alias or name) if wire else name: name for name, field in model.model_fields.items()}
    rows = [
        f"| {shown} | {_type(one)} | {marks.get(aliases.get(shown, shown), '')} |"
        for shown, one in schema.get("properties", {}).items()
        if aliases.get(shown, shown) not in left_out
    ]
    if rows:
        yield "\n".join(["| field | type | |", "|---|---|---|", *rows, ""])


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        kinds = [_type(one) for one in schema["anyOf"] if one.get("type") != "null"]
        optional = len(kinds) < len(schema["anyOf"])
        return " or ".join(kinds) + (", optional" if optional else "")
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{one}`" for one in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        inner = schema.get("items", {})
        return f"list of {_type(inner)}" if inner else "list"
    if schema.get("type") == "object":
        inner = schema.get("additionalProperties")
        return f"map to {_type(inner)}" if isinstance(inner, dict) and inner else "object"
    return "instant" if schema.get("format") == "date-time" else str(schema.get("type", "any"))


def _sentence(model: type[BaseModel]) -> str:
    """The first paragraph of what the model says of itself, in one line."""
    text = (model.__doc__ or "").strip().split("\n\n")[0]
    return " ".join(text.split())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
