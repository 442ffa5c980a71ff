"""Disks that are full: Kafka's and mongod's data on small file systems of their own, which needs the right to mount."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from deploy.chaos.scene import Scene
from deploy.local.trouble import CannotContinue

SIZES = {"mongo": "1g", "kafka": "1g"}
MEBIBYTE = bytes(1024 * 1024)
FELT_WITHIN_S = 150.0


@contextmanager
def small_disks(data_dir: Path) -> Iterator[None]:
    """A tmpfs for each broker. Raises CannotContinue where mounting is not allowed."""
    with ExitStack() as mounted:
        for name, size in SIZES.items():
            folder = data_dir / name
            folder.mkdir(parents=True)
            command = ["/bin/mount", "-t", "tmpfs", "-o", f"size={size}", "manyi-chaos", str(folder)]
            answer = subprocess.run(command, capture_output=True, text=True, check=False)
            if answer.returncode:
                raise CannotContinue(f"F11 needs the right to mount a small disk: {answer.stderr.strip()}")
            mounted.callback(subprocess.run, ["/bin/umount", str(folder)], check=True)
        yield


async def full_disk(scene: Scene) -> float:
    """the disk of mongod, by turns that of Kafka, is full until it fails; nothing is acknowledged that is not kept"""
    name = ("mongo", "kafka")[scene.cycle % 2]
    starts, before = scene.supervisor.starts(name), scene.load.refusals.copy()
    ballast = scene.system.data_dir / name / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):  # until there is no space left
        while file.write(MEBIBYTE):
            pass
    try:
        await scene.until(lambda: scene.supervisor.starts(name) > starts, f"{name} did not feel it", FELT_WITHIN_S)
    finally:
        ballast.unlink()
        since = time.monotonic()
    seconds = await scene.recovery(since)
    await scene.ready(name)
    answers = scene.load.refusals - before
    scene.notes.append(f"{name} full: {answers[503]} calls over HTTP were answered 503")
    if others := sorted(set(answers) - {409, 429, 503}):
        scene.troubles.append(f"while {name} was full calls were answered {others}, not 503")
    return seconds
