"""Running the writer of tests/foreign/node: its packages are installed from the lock on first use."""

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "node"
OLDEST_NODE = 20


def require_node() -> None:
    """Install the packages where they are missing or older than the lock.

    Skips, saying so, on a machine without Node: nothing of ours needs it, only this proof.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Node.js is not installed: the writer in JavaScript cannot be shown here")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.strip().lstrip("v").split(".")[0]) < OLDEST_NODE:
        pytest.skip(f"Node.js {version.strip()} is too old: the writer in JavaScript needs {OLDEST_NODE} or later")
    lock, installed = FOLDER / "package-lock.json", FOLDER / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run([npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=FOLDER, check=True)


def codecs() -> set[str]:
    """What this Node can compress with: zstd only from 22.15 on."""
    return set(_run(["--codecs"], "").split())


def write(kafka: str, topic: str, events: Iterable[dict[str, Any]], mode: str, compression: str) -> None:
    """Produce the events. Fails with what the writer said when it could not."""
    lines = "".join(json.dumps(event) + "\n" for event in events)
    _run(["--kafka", kafka, "--topic", topic, "--mode", mode, "--compression", compression], lines)


def _run(arguments: list[str], lines: str) -> str:
    node = shutil.which("node") or "node"
    done = subprocess.run(
        [node, "writer.mjs", *arguments],
        cwd=FOLDER,
        input=lines,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
