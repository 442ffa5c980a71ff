"""Golden examples: one complete event for each class of the catalogue, readable today and for ever."""

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import shared.contracts
from shared.contracts.catalogue import CATALOGUE, SPEAKERS, Entry
from shared.contracts.envelope import Envelope

EXAMPLES = Path(shared.contracts.__file__).parent / "examples"
ENTRIES = [pytest.param(wire, entry, id=wire) for wire, entry in CATALOGUE.items()]


def example(wire: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((EXAMPLES / f"{wire.removeprefix('manyi.')}.json").read_text())
    return content


def test_each_type_has_one_example_and_no_example_is_an_orphan() -> None:
    assert {path.name for path in EXAMPLES.iterdir()} == {f"{w.removeprefix('manyi.')}.json" for w in CATALOGUE}


@pytest.mark.parametrize(("wire", "entry"), ENTRIES)
def test_an_example_is_read_and_written_without_loss(wire: str, entry: Entry) -> None:
    told = example(wire)
    envelope = Envelope.model_validate(told)
    data = entry.event.model_validate(envelope.data)
    assert envelope.model_dump(mode="json", exclude_none=True) == told
    assert data.model_dump(mode="json", by_alias=True, exclude_none=True) == told["data"]
    assert (envelope.type, envelope.source) == (wire, f"manyi/{entry.speaker}")
    assert envelope.recordedtime >= envelope.time


@pytest.mark.parametrize(("wire", "entry"), ENTRIES)
def test_an_example_shows_every_field(wire: str, entry: Entry) -> None:
    told = example(wire)
    assert set(told) == set(Envelope.model_fields)
    data = entry.event.model_validate(told["data"])
    assert list(unsaid(data, wire)) == []


def unsaid(model: BaseModel, at: str) -> Iterator[str]:
    """Fields that the example leaves out; of items in a list one may say what another does not."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        if name not in model.model_fields_set or value is None or value in ([], {}):
            yield f"{at}.{name}"
        items = [item for item in value if isinstance(item, BaseModel)] if isinstance(value, list) else []
        left_out = [set(unsaid(item, f"{at}.{name}[]")) for item in items]
        yield from sorted(set.intersection(*left_out)) if left_out else ()


def test_a_customers_events_share_one_key_and_carry_codes_instead_of_words() -> None:
    for wire, entry in CATALOGUE.items():
        told = example(wire)
        if entry.event.SUBJECT == "customer":
            assert told["subject"] == told["partitionkey"] == told["data"]["customerId"]
        assert not {"name", "phone", "email", "address", "note", "comment"} & set(told["data"])


def test_the_catalogue_is_consistent() -> None:
    for wire, entry in CATALOGUE.items():
        assert wire == entry.event.TYPE
        assert wire.startswith("manyi.")
        assert wire.rpartition(".v")[2].isdigit()
        assert inspect.getdoc(entry.event), f"{entry.event.__name__} says in its docstring when it is said"
        assert {entry.speaker, *entry.listeners} <= set(SPEAKERS)
        assert entry.listeners, f"nobody listens to {wire}"
    assert len({entry.event for entry in CATALOGUE.values()}) == len(CATALOGUE)
