"""`manyi test` and `manyi check`: everything that tells whether the code is right."""

import os
import subprocess
import sys
import time
from typing import Annotated

import typer

from deploy.cli.screen import ensure_jars, err
from deploy.local.places import ROOT
from deploy.local.trouble import CannotContinue

CHECKS: dict[str, list[str]] = {
    "format": ["ruff", "format", "--check", "."],
    "lint": ["ruff", "check", "."],
    "types": ["mypy"],
    "import rules": ["lint-imports"],
    "fast tests": ["pytest", "-q", "tests/unit", "tests/contracts"],
}


def test(context: typer.Context) -> None:
    """Run the whole suite; further arguments go to pytest."""
    if not os.environ.get("MANYI_TEST_KAFKA"):
        ensure_jars()
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, "-P", "-m", "pytest", *context.args])  # noqa: S606 - Ctrl-C reaches pytest itself


def check(
    fix: Annotated[bool, typer.Option("--fix", help="Let ruff format and repair what it can first.")] = False,
) -> None:
    """Format, lint, types, import rules and the fast tests."""
    if fix:
        _run(["ruff", "check", "--fix", "--quiet", "."])
        _run(["ruff", "format", "--quiet", "."])
    failed = []
    for name, command in CHECKS.items():
        began = time.monotonic()
        answer = _run(command)
        passed = answer.returncode == 0
        mark = "[green]✓[/green]" if passed else "[red]✗[/red]"
        err.print(f"{mark} {name:<13} {time.monotonic() - began:5.1f} s   [dim]{' '.join(command)}[/dim]")
        if not passed:
            failed.append(name)
            print(answer.stdout + answer.stderr)
    if failed:
        raise CannotContinue(
            f"Not right yet: {', '.join(failed)}; the reasons are above (`manyi check --fix` repairs formatting)."
        )


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """The tool of our own environment, whatever else is on PATH."""
    tool = os.path.join(os.path.dirname(sys.executable), command[0])  # noqa: PTH118, PTH120 - the link itself, unresolved
    return subprocess.run([tool, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
