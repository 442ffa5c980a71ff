"""Which requirement row is shown by which tests: `python -m tests.support.policy_coverage` writes the page anew.

Rows stand in docs/policy-rows.yaml; a test names the rows it shows with `@pytest.mark.policy("S0-31", …)`.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

ROOT = Path(__file__).parents[2]
ROWS = ROOT / "docs" / "policy-rows.yaml"
PAGE = ROOT / "docs" / "policy-coverage.md"
HEAD = """# Policy coverage
Written by `python -m tests.support.policy_coverage` from the tests' own marks; do not edit. A row is *shown* when a
test names it, *organisational* when no program can do it (the reason stands beside it), else *open*. A shown row has
some evidence; whether all of the row holds is for its reader to judge from the tests.

| row | term | owner | state | shown by |
|---|---|---|---|---|
"""


class Row(BaseModel):
    """One requirement."""

    model_config = ConfigDict(extra="forbid")
    term: Annotated[str, Field(min_length=1)]
    owner: list[Literal["CUS", "SUR", "FBK", "REP", "X"]]
    organisational: str | None = None


def rows() -> dict[str, Row]:
    """All requirement rows by their ids."""
    content = yaml.safe_load(ROWS.read_text(encoding="utf-8"))
    return {name: Row.model_validate(row) for name, row in content["rows"].items()}


def marks(folder: Path = ROOT / "tests") -> dict[str, set[str]]:
    """Row id → test modules with a test that names it, as paths below the root."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted(folder.rglob("test_*.py")):
        for identifier in named(path.read_text(encoding="utf-8")):
            found[identifier].add(str(path.relative_to(folder.parent)))
    return dict(found)


def named(source: str) -> Iterator[str]:
    """The rows that a module's tests name, in decorators, parameters or `pytestmark`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "policy":
            marker: Any = node.func.value
            if isinstance(marker, ast.Attribute) and marker.attr == "mark":
                yield from (str(one.value) for one in node.args if isinstance(one, ast.Constant))


def page(known: Mapping[str, Row], shown: Mapping[str, set[str]]) -> str:
    """The page, one line for each row, without totals: two changes of different rows do not meet."""
    lines = []
    for name, row in known.items():
        tests = ", ".join(f"[{Path(one).stem}](../{one})" for one in sorted(shown.get(name, ())))
        state = "shown" if tests else "organisational" if row.organisational else "open"
        lines.append(
            f"| {name} | {row.term} | {', '.join(row.owner)} | {state} | {tests or row.organisational or ''} |"
        )
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(rows(), marks()), encoding="utf-8")
