"""`manyi bench` measures what it says: the same events and documents for all, and every command recorded."""

import json
import os
import subprocess
import sys
from pathlib import Path

from deploy.local.places import ROOT

EVENTS = 20_000


def test_a_small_projection_bench_names_ours_peers_ratios_and_machine(tmp_path: Path) -> None:
    ran = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "deploy.cli", "bench", "projection", "--json", "--seed", "7"),
            *("--events", str(EVENTS), "--rounds", "1", "--only", "ceiling", "--data", str(tmp_path)),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["seed"] == 7
    assert told["facts"]["events"] == EVENTS
    assert told["facts"]["cuts"] >= 20
    assert list(told["peers"]) == list(told["ratios"]) == ["ceiling"]
    for figures in (told["ours"], told["peers"]["ceiling"]):
        assert figures["events_s"] > 0
        assert figures["rss_mb"] > 0
    assert told["machine"]["mongod"]
    assert told["machine"]["kafka"]


def test_a_small_api_bench_has_every_command_recorded(tmp_path: Path) -> None:
    ran = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "deploy.cli", "bench", "api", "--json"),
            *("--events", "1500", "--rounds", "1", "--data", str(tmp_path)),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert list(told["ratios"]) == ["FastAPI + insert_one"]
    assert all(figures["p99_ms"] > 0 for figures in (told["ours"], *told["peers"].values()))
