"""Who may import whom: the contracts of import-linter, and what a started process really has loaded."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.contracts.catalogue import SPEAKERS

ROOT = Path(__file__).parents[2]
OTHERS = """
import sys
import services.{name}.main
found = {{module.split(".")[1] for module in sys.modules if module.startswith("services.")}}
banned = {{"motor", "confluent_kafka", "typer", "deploy"}} & set(sys.modules)
print(*sorted(found | banned))
"""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


def test_the_import_rules_hold() -> None:
    checked = run(str(Path(sys.executable).parent / "lint-imports"), "--no-cache")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("name", SPEAKERS)
def test_a_process_loads_its_own_service_alone(name: str) -> None:
    loaded = run(sys.executable, "-c", OTHERS.format(name=name))
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.split() == [name]


def test_contracts_need_pydantic_alone() -> None:
    rooms = ", ".join(f"shared.contracts.{room}" for room in ("catalogue", "intake", "decision", "state"))
    loaded = run(sys.executable, "-c", f"import sys, {rooms}\nprint(*sys.modules)").stdout.split()
    assert "pydantic" in loaded
    assert not {"fastapi", "faststream", "pymongo", "aiokafka", "orjson"} & set(loaded)
