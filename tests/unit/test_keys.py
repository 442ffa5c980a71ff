"""Where the master keys come from, and what is left of a model without its private fields."""

import importlib
import json
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from shared.contracts.state import Part, State
from shared.plumbing.keyring import ServiceSeal
from shared.plumbing.sealing import BlindIndex, Unsealable
from shared.plumbing.settings import Settings

OLD, NEW = "11" * 32, "22" * 32


def held(**more: object) -> str:
    return json.dumps({"installation_key": "00" * 32, **more})


async def test_a_rotated_key_file_is_taken_over_without_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(held(master_key=OLD))
    seal = ServiceSeal(Settings(keys_file=file))
    before = seal.close(b"before", "x")
    file.write_text(held(master_key=NEW, other_master_keys=[OLD]))
    await seal.look_again()
    after = seal.close(b"after", "x")
    assert (seal.open_bytes(before, "x"), seal.open_bytes(after, "x")) == (b"before", b"after")
    file.write_text(held(master_key=NEW))
    await seal.look_again()
    with pytest.raises(Unsealable):
        seal.open_bytes(before, "x")


def test_keys_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANYI_KEYS", held(master_key=OLD))
    assert Settings().keys.master_key.get_secret_value() == OLD


def test_without_keys_there_is_no_start_and_a_short_key_is_none() -> None:
    with pytest.raises(SystemExit, match="MANYI_KEYS_FILE"):
        _ = Settings().keys
    with pytest.raises(ValidationError, match="64 hexadecimal digits"):
        _ = Settings(keys_json=SecretStr(held(master_key="11"))).keys


def test_a_blind_tag_is_equal_for_equals_of_one_kind_and_one_installation() -> None:
    index = BlindIndex(b"\x01" * 32)
    assert index.tag("phone", "138") == index.tag("phone", "138") != index.tag("email", "138")
    assert index.tag("phone", "138") != BlindIndex(b"\x02" * 32).tag("phone", "138")


Model = type[State] | type[Part]


def kinds(base: Model) -> set[Model]:
    children: list[Model] = [*base.__subclasses__()]
    return {one for child in children for one in (child, *kinds(child))}


def test_every_private_field_has_a_default_so_that_what_was_erased_can_still_be_read() -> None:
    for name in ("customer", "survey", "feedback"):
        importlib.import_module(f"services.{name}.main")
    models = [model for model in (*kinds(State), *kinds(Part)) if model.__module__.startswith("services.")]
    assert any(model.PRIVATE for model in models)
    wanting = [
        f"{model.__name__}.{field}"
        for model in models
        for field in model.PRIVATE
        if model.model_fields[field].is_required()
    ]
    assert wanting == []
