"""How long a command runs: to its end, or until somebody wants it to stop."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.cli.screen import err
from deploy.local.places import DEFAULT_DATA

STOPPED_BY_PERSON = 130


def run_until_signal(work: Coroutine[Any, Any, None]) -> bool:
    """Run `work` and return whether it came to its own end; SIGINT, SIGTERM and SIGHUP cancel it, so it can clean up.

    A second signal ends this process at once; the kernel then ends the children (see deploy/local/launch.py).
    """

    async def guarded() -> bool:
        task = asyncio.create_task(work)
        signalled = False

        def stop() -> None:
            nonlocal signalled
            if signalled:
                os._exit(STOPPED_BY_PERSON)
            signalled = True
            err.print("\nStopping … (once more to stop at once)")
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop)
        try:
            await task
        except asyncio.CancelledError:
            if not signalled:
                raise
            return False
        return True

    return asyncio.run(guarded())


@contextmanager
def data_directory(data: Path | None, ephemeral: bool) -> Iterator[Path]:
    """The directory to keep data in: the one named, else the default; or one that is removed at the end."""
    if not ephemeral:
        yield (data or DEFAULT_DATA).resolve()
        return
    folder = Path(tempfile.mkdtemp(prefix="manyi-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
