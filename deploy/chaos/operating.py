"""What operators do to an installation: older backups put back, numbers counted anew."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from deploy.chaos.killing import speaker_for
from deploy.chaos.scene import SERVICES, SPEAKERS, Scene
from deploy.local.places import ROOT

REFUSED_WITHIN_S = 120.0
RUNBOOK = "docs/runbook.md"

Contents = dict[str, list[RawBSONDocument]]
"""Collection → its documents."""


async def put_back(scene: Scene) -> float:
    """an older backup is put back: reporting counts the rest again; a speaker refuses, and takes its newest"""
    victim = ("reporting", *SPEAKERS)[scene.cycle % len(SERVICES)]
    said = _told_so_far(scene)
    await scene.ready(victim)
    older = await asyncio.to_thread(_backup, scene, victim)
    await scene.pause(4.0, 6.0)
    await scene.supervisor.rest([victim])
    newest = await asyncio.to_thread(_backup, scene, victim)
    await asyncio.to_thread(_restore, scene, victim, older)
    since = time.monotonic()
    scene.supervisor.go_on([victim])
    if victim in SPEAKERS:
        await _refusal(scene, (victim,), "events that are not in the journal", said)
        since = time.monotonic()
        await scene.supervisor.rest([victim])
        await asyncio.to_thread(_restore, scene, victim, newest)
        scene.supervisor.go_on([victim])
    return await _back(scene, since, speaker_for(scene, victim), (victim,))


def _backup(scene: Scene, service: str) -> Contents:
    """All documents of a service as they were at one moment (blocking)."""
    with scene.database(service) as database, database.client.start_session(snapshot=True) as session:
        raw = database.with_options(CodecOptions(document_class=RawBSONDocument))
        return {name: list(raw[name].find({}, session=session)) for name in database.list_collection_names()}


def _restore(scene: Scene, service: str, contents: Contents) -> None:
    """All of it back, and what came later gone; indexes are made by who opens the database (blocking)."""
    with scene.database(service) as database:
        database.client.drop_database(database.name)
        for name, documents in contents.items():
            if documents:
                database[name].insert_many(documents)


async def count_anew(scene: Scene) -> float:
    """reporting counts all its numbers anew beside the load and swaps; by turns a first attempt at it is killed"""
    if scene.cycle % 2:
        killed = await _rebuild(scene)
        await scene.pause(2.0, 8.0)
        with suppress(ProcessLookupError):  # it may be through already
            os.killpg(killed.pid, signal.SIGKILL)
        await killed.communicate()
    process = await _rebuild(scene)
    since = time.monotonic()
    _, said = await process.communicate()
    if process.returncode:
        scene.troubles.append(f"counting anew ended with status {process.returncode}: {said.decode()[-300:]}")
    scene.notes.append(f"counted anew in {time.monotonic() - since:.1f} s")
    return await scene.recovery(time.monotonic(), scene.random.choice(SPEAKERS))


async def _rebuild(scene: Scene) -> Process:
    """`manyi rebuild` on the running system, in a process group of its own."""
    command = ["-P", "-m", "deploy.cli", "rebuild", "reporting", "--json", "--data", str(scene.system.data_dir)]
    return await asyncio.create_subprocess_exec(
        sys.executable, *command, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=DEVNULL, stderr=PIPE, start_new_session=True,
    )  # fmt: skip


def _told_so_far(scene: Scene) -> dict[str, int]:
    """Service → how long its log is."""
    return {name: _log(scene, name).stat().st_size for name in SERVICES}


def _log(scene: Scene, service: str) -> Path:
    return scene.system.data_dir / "logs" / f"{service}.log"


async def _refusal(scene: Scene, services: Collection[str], sentence: str, before: Mapping[str, int]) -> None:
    """Wait until each of them refuses to run, and says why and where to read on. Raises TimeoutError."""

    def says_so(name: str) -> bool:
        if not scene.supervisor.refused(name):
            return False
        told = _log(scene, name).read_bytes()[before[name] :].decode(errors="replace")
        refusals = [line for line in told.splitlines() if line.startswith("error: ") and sentence in line]
        return bool(refusals) and all(RUNBOOK in line for line in refusals)

    for name in services:
        await scene.until(partial(says_so, name), f"{name} does not refuse with: {sentence}", REFUSED_WITHIN_S)


async def _back(scene: Scene, since: float, speaker: str, services: Collection[str]) -> float:
    """Seconds until a call is counted; returns when the services that were started again are ready."""
    seconds = await scene.recovery(since, speaker)
    for name in services:
        await scene.ready(name)
    return seconds
