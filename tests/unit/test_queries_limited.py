"""What is read of a query is said to the database.

`find(…).to_list(500)` fetches batches of up to 16 MB and drops what is beyond 500: of a million files, the page that
was assessed next cost the reading of all behind it.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = [path for place in ("shared", "services", "deploy") for path in (ROOT / place).rglob("*.py")]


def cut_off(source: str) -> list[int]:
    """Lines where so many documents are taken from a query that was not limited to them; a cursor is read on."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "to_list"
        and (node.args or node.keywords)
        and isinstance(node.func.value, ast.Call)
    ]


def test_no_query_is_cut_off_by_its_reader() -> None:
    assert len(SOURCES) > 300
    assert {str(path.relative_to(ROOT)): lines for path in SOURCES if (lines := cut_off(path.read_text()))} == {}


def test_a_query_that_is_cut_off_is_found() -> None:
    assert cut_off("found = await kept.find(query).sort('_id').to_list(500)\n") == [1]
    assert cut_off("found = await kept.find(query).limit(500).to_list()\nmore = await cursor.to_list(500)\n") == []
