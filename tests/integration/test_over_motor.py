"""The seam holds for who must stay on Motor: journal, intake and relay pass over it, in a process of their own."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.support.stack import RealStack

pytestmark = pytest.mark.stack
ROOT = Path(__file__).parents[2]
SUITE = [f"tests/integration/test_{room}.py" for room in ("journal", "intake", "relay")]


async def test_the_plumbing_suite_passes_over_motor(stack: RealStack) -> None:
    there = {"MANYI_TEST_KAFKA": stack.kafka, "MANYI_TEST_MONGO": stack.mongo, "PYTHONPATH": str(ROOT)}
    plugins = ("-p", "tests.support.over_motor", "-p", "no:cacheprovider")
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "pytest", *plugins, *SUITE),
        cwd=ROOT,
        env={**os.environ, **there},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await asyncio.wait_for(run.communicate(), 300))[0].decode()
    assert run.returncode == 0, said[-6_000:]
    assert "MongoDB driver: motor 3.7.1" in said
    assert "skipped" not in said
