"""docs/benchmarks.md and docs/scaling.md, written from the saved results alone: no figure in them is typed by hand."""

import json
from pathlib import Path
from typing import Any

from deploy.bench.report import shown
from deploy.bench.scaling_page import scaling
from deploy.local.places import ROOT

RESULTS = ROOT / "docs" / "benchmarks"
PAGE = ROOT / "docs" / "benchmarks.md"
SCALING = ROOT / "docs" / "scaling.md"
HEAD = """\
# Benchmarks

Written by `./manyi bench NAME --save` from the results in [`benchmarks/`](benchmarks); what each bench does and its
rules are in [`deploy/bench`](../deploy/bench/README.md). Rates are medians over the rounds; "ours ÷ it" is the median
of the rounds' ratios. Where others used the machine meanwhile, rates say little and processor seconds more.
"""


def save(result: dict[str, Any]) -> None:
    """Keep one result and write the pages anew."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{result['bench']}.json").write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n")
    PAGE.write_text(page(RESULTS))
    SCALING.write_text(scaling_of(RESULTS))


def page(results: Path) -> str:
    """The page over all saved results."""
    found = [json.loads(path.read_text()) for path in sorted(results.glob("*.json"))]
    return "\n".join([HEAD, *[section(result) for result in found]])


def scaling_of(results: Path) -> str:
    """The page on scaling over the saved result of its bench, where there is one."""
    path = results / "scale.json"
    return scaling(json.loads(path.read_text()) if path.exists() else None)


def section(result: dict[str, Any]) -> str:
    """Command, picture, table and circumstances of one bench."""
    everybody = {result["name_of_ours"]: result["ours"], **result["peers"]}
    columns = result["columns"]
    lines = [
        f"## {result['title']}",
        "",
        f"`{result['command']}`",
        "",
        *picture(columns[result["main"]], {name: figures[result["main"]] for name, figures in everybody.items()}),
        "",
        f"| | {' | '.join(columns.values())} | ours ÷ it | |",
        f"|---|{'---:|' * (len(columns) + 1)}---|",
    ]
    for name, figures in everybody.items():
        ratio = result["ratios"].get(name)
        cells = [
            *(shown(figures[column]) if column in figures else "" for column in columns),
            shown(ratio) if ratio else "",
        ]
        lines.append(f"| {name} | {' | '.join(cells)} | {result['notes'].get(name, '')} |")
    lines += ["", f"Goals: {'; '.join(result['goals'])}.", ""]
    for what, told in (("Measured", {"seed": result["seed"], **result["facts"]}), ("On", result["machine"])):
        lines += [f"{what}: {', '.join(f'{name} {value}' for name, value in told.items())}.", ""]
    return "\n".join(lines)


def picture(title: str, values: dict[str, float]) -> list[str]:
    """A bar for each contestant, drawn by whoever shows the page."""
    names = ", ".join(f'"{name}"' for name in values)
    heights = ", ".join(str(value) for value in values.values())
    chart = ["xychart-beta", f'    title "{title}"', f"    x-axis [{names}]", f"    bar [{heights}]"]
    return ["```mermaid", *chart, "```"]
