"""The data dictionary is as the models are, and the models mark what is personal."""

from typing import Any

import pytest

from shared.contracts.catalogue import CATALOGUE
from shared.contracts.intake import Intake, IntakeAnswer
from tests.support.data_dictionary import INTAKE, PAGE, aggregates, page

OF_AN_ORGANISATION = {"company"}
NEVER_SAID = {
    "name",
    "phone",
    "email",
    "address",
    "post",
    "note",
    "text",
    "comment",
    "comments",
    "external_id",
    "known_as",
}
"""What an event never has a field for, because it may be about a person."""


def test_the_page_is_as_the_models_are() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.support.data_dictionary"


def test_everything_that_is_said_taken_in_and_stored_is_on_it() -> None:
    text = page()
    stored = [one for kept in aggregates().values() for one in kept]
    wanted = [*CATALOGUE, *(model.TYPE for models in INTAKE.values() for model in models)]
    wanted += [one.collection for one in stored]
    wanted += [collection for one in stored for collection, _ in one.state.PARTS.values()]
    assert {"customers", "contacts", "cases", "responses"} <= set(wanted)
    for name in wanted:
        assert f"### {name}" in text
    assert "| phone | string, optional | **personal**, sealed (found by its `blind` tag) |" in text


@pytest.mark.parametrize("model", [*(model for models in INTAKE.values() for model in models), IntakeAnswer])
def test_free_text_that_is_taken_in_is_marked_personal(model: type[Intake]) -> None:
    assert set(model.model_fields) >= model.PERSONAL
    for name, field in model.model_fields.items():
        free = any(getattr(one, "max_length", 0) == 20_000 for one in _metadata(field))
        assert not free or name in model.PERSONAL | OF_AN_ORGANISATION, f"{model.__name__}.{name} may be personal"


def _metadata(field: Any) -> list[Any]:
    inside = [one for kind in getattr(field.annotation, "__args__", ()) for one in getattr(kind, "__metadata__", ())]
    return [*field.metadata, *(more for one in inside for more in getattr(one, "metadata", [one]))]


def test_no_event_has_a_field_for_what_is_personal() -> None:
    for wire, entry in CATALOGUE.items():
        assert not NEVER_SAID & set(entry.event.model_fields), f"{wire} says something personal"
