"""What operators do to an installation: topics changed underneath, older backups put back, numbers counted anew."""

import asyncio
import json
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from deploy.backups.putting_back import put_back as put_backup_back
from deploy.backups.taking import take
from deploy.chaos.feeding import send
from deploy.chaos.killing import speaker_for
from deploy.chaos.scene import SERVICES, SPEAKERS, Scene
from deploy.chaos.topics import bounds
from deploy.local.anew import made_anew, publish_anew
from deploy.local.places import ROOT
from deploy.local.state import KEYS_NAME
from deploy.local.topics import journaled_topics, plan

REFUSED_WITHIN_S = 120.0
"""Running services look at their topics every 30 s."""
RUNBOOK = "docs/runbook.md"
TOPICS, DATABASES = journaled_topics(plan()), "manyi-"


async def change_topic(scene: Scene) -> float:
    """an events topic is made anew, gains a partition, or loses what is not counted: refused, then published anew"""
    speaker = SPEAKERS[scene.cycle // 3 % len(SPEAKERS)]
    kafka, topic = scene.system.kafka, f"manyi-{speaker}-events"
    said = _told_so_far(scene)
    sentence, change, refusing = (
        ("the topic was made anew", _make_anew, [speaker, "reporting"]),
        ("has 13 partitions and had 12", _add_partition, [speaker, "reporting"]),
        ("records of it are counted", _remove_records, ["reporting"]),
    )[scene.cycle % 3]
    for name in refusing:
        await scene.until(partial(_knows, scene, name, topic), f"{name} has not looked at {topic} yet")
    await scene.supervisor.rest(refusing)
    await scene.pause(3.0, 4.0)
    await asyncio.to_thread(change, kafka, topic)
    scene.supervisor.go_on(refusing)
    await _refusal(scene, refusing, sentence, said)
    since = time.monotonic()
    await scene.supervisor.rest(SERVICES)
    await publish_anew(kafka, scene.system.mongo, TOPICS, DATABASES)
    for name, records in scene.beside.items():
        await send(kafka, name, records)
    scene.supervisor.go_on(SERVICES)
    return await _back(scene, since, speaker, SERVICES)


def _knows(scene: Scene, service: str, topic: str) -> bool:
    """Whether a service has looked at a topic since it has records, so that it would know another one (blocking)."""
    with scene.database(service) as database:
        kept = database["topics"].find_one({"_id": topic})
        return kept is not None and sum(kept["ends"]) > 0


def _make_anew(kafka: str, topic: str) -> None:
    """Blocking. Raises CannotContinue."""
    asyncio.run(made_anew(kafka, [one for one in TOPICS if one.name == topic]))


def _add_partition(kafka: str, topic: str) -> None:
    """Blocking. Raises KafkaException."""
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    admin.create_partitions([NewPartitions(topic, 13)])[topic].result()


def _remove_records(kafka: str, topic: str) -> None:
    """All that is there, as a retention too short would (blocking). Raises KafkaException."""
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    ends = [TopicPartition(*place, end) for place, (_, end) in bounds(kafka, topic).items()]
    for removed in admin.delete_records(ends).values():
        removed.result()


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


def _backup(scene: Scene, service: str) -> Path:
    """One service as `manyi backup` saves it (blocking). Raises CannotContinue."""
    folder = scene.system.data_dir
    data, _ = take(
        scene.system.mongo, DATABASES, _installation_key(scene), folder / "backups", folder / "key-backups", [service]
    )
    return data


def _restore(scene: Scene, service: str, backup: Path) -> None:
    """All of it back, and what came later gone (blocking). Raises CannotContinue."""
    put_backup_back(scene.system.mongo, DATABASES, _installation_key(scene), backup, [service], replace=True)


def _installation_key(scene: Scene) -> bytes:
    return bytes.fromhex(json.loads((scene.system.data_dir / KEYS_NAME).read_text())["installation_key"])


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
