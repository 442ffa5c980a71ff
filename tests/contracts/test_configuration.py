"""docs/configuration.md lists every variable that is read, with what holds where it is not set."""

import re
from pathlib import Path

from deploy.local.places import ROOT
from shared.plumbing.settings import Settings

PAGE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| ((?:`MANYI_\w+` ?)+)\| *([^|]*?) *\|", re.MULTILINE)
NAMED = re.compile(r"\"(MANYI_[A-Z_]+)\"")
FAULTS = {"MANYI_CRASH_AT", "MANYI_STOP_AT", "MANYI_FAIL_AT", "MANYI_CLOCK_AHEAD_S"}
"""What only `manyi chaos` and tests set."""


def variable(field: str) -> str:
    """The variable that sets this field of the settings."""
    alias = Settings.model_fields[field].validation_alias
    return f"MANYI_{field.upper()}" if alias is None else "MANYI_KEYS"


def written(value: object) -> str:
    """A default as the page writes it."""
    return f"`{value.relative_to(ROOT) if isinstance(value, Path) else value}`"


def test_the_page_lists_every_variable_that_is_read_and_no_other() -> None:
    listed = {name for names, _ in ROW.findall(PAGE) for name in re.findall(r"MANYI_\w+", names)}
    files = [file for room in ("deploy", "services", "shared", "tests") for file in (ROOT / room).rglob("*.py")]
    read = {name for file in files for name in NAMED.findall(file.read_text(encoding="utf-8"))}
    assert sorted(listed) == sorted(read - FAULTS | {variable(field) for field in Settings.model_fields})


def test_the_page_tells_what_holds_without_a_variable() -> None:
    told = {names.strip().strip("`"): without.strip() for names, without in ROW.findall(PAGE)}
    fields = {variable(field): info.default for field, info in Settings.model_fields.items()}
    holds = {name: written(value) for name, value in fields.items() if value is not None}
    assert {name: told[name] for name in holds} == holds
