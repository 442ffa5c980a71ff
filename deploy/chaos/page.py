"""`python -m deploy.chaos.page RUN.json …`: writes what `manyi chaos --json` printed into docs/chaos.md, as tables."""

import json
import sys
from pathlib import Path
from typing import Any

from deploy.chaos.faults import FAULTS
from deploy.local.places import ROOT

PAGE = ROOT / "docs" / "chaos.md"
BEGIN, END = "<!-- begin: written by deploy/chaos/page.py -->\n", "<!-- end -->\n"
COLUMNS = {
    "cycles": "cycles",
    "acknowledged": "acknowledged",
    "lost": "lost",
    "doubled": "doubled",
    "wrong": "wrong",
    "recovery_median_s": "recovery, median s",
    "recovery_s": "longest s",
}


def table(run: dict[str, Any]) -> str:
    """One line for each fault, the conditions below."""
    says = {fault.name: fault.says for fault in FAULTS}
    lines = [["fault", "what happens", *COLUMNS.values()], ["---", "---", *["--:"] * len(COLUMNS)]]
    for name, result in run["faults"].items():
        lines.append([name, says[name], *(str(result[column]) for column in COLUMNS)])
    notes = [f"- {name}: {note}" for name, result in run["faults"].items() for note in result["notes"]]
    machine = ", ".join(f"{name} {value}" for name, value in run["machine"].items() if value is not None)
    conditions = f"Seed {run['seed']}, {run['rate']:g} calls a second, {run['seconds']} seconds; {machine}."
    rows = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n\n".join(filter(None, [rows, "\n".join(notes), conditions])) + "\n"


def written(page: str, runs: list[dict[str, Any]]) -> str:
    """The page with its tables replaced, one for each run."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    tables = "\n".join(map(table, runs))
    return f"{before}{BEGIN}{tables}{END}{after}"


if __name__ == "__main__":
    runs = [json.loads(Path(run).read_text()) for run in sys.argv[1:]]
    PAGE.write_text(written(PAGE.read_text(), runs))
