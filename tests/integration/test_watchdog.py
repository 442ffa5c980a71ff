"""A process that stands still ends by itself, and the one that takes its place does the work."""

import sys
from functools import partial
from pathlib import Path

import pytest
from pymongo import AsyncMongoClient

from deploy.local.supervisor import Program, Supervisor
from deploy.local.system import is_ready
from shared.plumbing.database import Document
from shared.plumbing.settings import Settings
from tests.support.eventually import eventually
from tests.support.service import environment_of, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack

STUCK_AFTER_S = 4.0
REASONS = {
    "awaits": "no progress with records waiting, exiting",
    "blocks": "Timeout (0:00:04)!",
    "leaves": "left its group at an error, exiting",
    "relay": "the relay stands still, exiting",
}


def stuck_program(kind: str, settings: Settings, folder: Path) -> Program:
    folder.mkdir()
    return Program(
        kind,
        [sys.executable, "-P", "-m", "tests.support.stuck_service", kind, str(folder)],
        folder / "log",
        ready=partial(is_ready, f"http://{settings.host}:{settings.port}"),
        environment={
            **environment_of(settings),
            "MANYI_STUCK_AFTER_S": str(STUCK_AFTER_S),
            "MANYI_INSTANCE": kind,
        },
    )


async def test_a_stuck_process_ends_and_its_successor_works(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    """Several processes, each stuck in a way of its own; side by side, since most of it is waiting."""
    supervisor = Supervisor(
        [stuck_program(kind, settings_for(stack, namespace, tmp_path), tmp_path / kind) for kind in REASONS]
    )
    await supervisor.start(60)
    try:
        async with AsyncMongoClient[Document](stack.mongo) as client:
            journal = client[f"{namespace.database_prefix}relay"]["journal"]
            await journal.insert_one({"subject": "s", "revision": 1, "key": "s", "event": "word"})
        for kind, reason in REASONS.items():
            taken, log = tmp_path / kind / "taken", tmp_path / kind / "log"
            await eventually(partial(taken.exists), timeout=90, because=f"{kind}: nothing is taken")
            assert taken.read_text().startswith("word")
            assert (tmp_path / kind / "stuck").exists()
            await eventually(partial(says, log, reason), because=f"{kind}: {log.read_text()[-2000:]}")
            assert supervisor.starts(kind) > 1
    finally:
        await supervisor.stop()


def says(log: Path, reason: str) -> bool:
    return reason in log.read_text()
