"""`manyi up` as people run it: in a process of its own, ended in every way a process can end."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from deploy.local.places import ROOT
from deploy.local.state import SystemState, running_pid
from tests.support.eventually import eventually

pytestmark = pytest.mark.stack

UP_WITHIN = 60.0


def manyi(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself, with what it said."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "deploy.cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Up:
    """A running `manyi up --stack-only`."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.said = data.with_suffix(".said")
        with self.said.open("wb") as said:
            self.process = psutil.Popen(
                [sys.executable, "-P", "-m", "deploy.cli", "up", "--stack-only", "--data", str(data)],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=said,
                stderr=said,
            )

    async def ready(self) -> list[psutil.Process]:
        """Its children, once it says that all is ready."""

        def says_so() -> bool:
            assert self.process.poll() is None, self.said.read_text()
            return "Ready in" in self.said.read_text()

        await eventually(says_so, UP_WITHIN)
        return [psutil.Process(child.pid) for child in self.process.children(recursive=True)]

    async def ends(self) -> int:
        """Its exit status, once it has ended."""
        await eventually(lambda: self.process.poll() is not None, 30)
        return int(self.process.returncode)


@pytest.fixture
async def up(tmp_path: Path) -> AsyncIterator[Up]:
    running = Up(tmp_path / "data")
    yield running
    if running.process.poll() is None:
        running.process.terminate()
        await running.ends()


async def test_status_sees_it_a_second_one_refuses_and_down_ends_it(up: Up) -> None:
    children = await up.ready()
    assert len(children) == 2
    status = json.loads(manyi("status", "--json", "--data", str(up.data)).stdout)
    assert status["pid"] == up.process.pid
    assert status["mongo"].startswith("mongodb://127.0.0.1:")
    assert (up.data / "keys.json").stat().st_mode & 0o777 == 0o600

    second = manyi("up", "--stack-only", "--data", str(up.data))
    assert second.returncode == 1
    assert f"already running on {up.data} (pid {up.process.pid})" in second.stderr
    assert "Traceback" not in second.stderr

    assert manyi("down", "--data", str(up.data)).returncode == 0
    assert await up.ends() == 0
    assert not [child for child in children if child.is_running()]
    assert running_pid(up.data) is None
    assert SystemState.read(up.data) is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_signals_end_it_cleanly(up: Up, number: signal.Signals) -> None:
    children = await up.ready()
    up.process.send_signal(number)
    assert await up.ends() == 0
    assert not [child for child in children if child.is_running()]


async def test_a_crash_leaves_no_process_behind(up: Up) -> None:
    children = await up.ready()
    up.process.kill()
    assert await up.ends() == -signal.SIGKILL
    await eventually(lambda: not [child for child in children if child.is_running()], because="children outlived `up`")
    again = Up(up.data)
    await again.ready()
    again.process.terminate()
    assert await again.ends() == 0


async def test_a_signal_while_starting_ends_it_too(up: Up) -> None:
    await eventually(lambda: len(up.process.children()) == 2, 30)
    children = up.process.children()
    up.process.terminate()
    assert await up.ends() == 0
    assert not [child for child in children if child.is_running()]
