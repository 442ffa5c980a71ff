"""`manyi` as an operator runs it, in a process of its own on one test's installation."""

import asyncio
import os
import sys

from shared.plumbing.settings import Settings
from tests.support.service import environment_of


async def started(settings: Settings, *words: str) -> asyncio.subprocess.Process:
    """The command, begun."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "deploy.cli", *words),
        env={**os.environ, **environment_of(settings)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def manyi(settings: Settings, *words: str) -> tuple[int | None, str, str]:
    """The command's exit status, and what it said on stdout and stderr."""
    process = await started(settings, *words)
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()
