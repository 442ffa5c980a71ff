"""Faults of what others tell us: the group's members and offsets, the change stream's token, the time, commits."""

import asyncio
import signal
import time
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from deploy.chaos.scene import SPEAKERS, Scene, started_with
from deploy.chaos.topics import EVENTS, bounds

MEMBERS, EVERY_S = 6, 2.0
EMPTY_WITHIN_S = 90.0
DAYS_2 = 2 * 86_400
DOUBTS = 20
UNTRUE = (
    {"writeConcernError": {"code": 91, "codeName": "ShutdownInProgress", "errmsg": "done, but not known to be"}},
    {"closeConnection": True},
    {"errorCode": 112, "errorLabels": ["TransientTransactionError"]},
)
"""What is said of a commit: that of the first kind was done, the others were not."""
DAMAGED = {"_data": "8200000001000000012B0229296E04"}


async def storm(scene: Scene) -> float:
    """a member that counts nothing joins reporting's group and leaves it again, every 2 s"""
    (group, *_) = await _groups(scene)
    for _ in range(MEMBERS):
        member = AIOKafkaConsumer(
            *EVENTS,
            bootstrap_servers=scene.system.kafka,
            group_id=group,
            enable_auto_commit=False,
            partition_assignment_strategy=(RangePartitionAssignor,),
        )
        await member.start()
        await asyncio.sleep(EVERY_S)
        await member.stop()
        await asyncio.sleep(EVERY_S)
    return await scene.recovery(time.monotonic())


async def _groups(scene: Scene) -> list[str]:
    """The consumer groups of reporting's projections."""
    return [f"manyi-{name}" for name in (await scene.health())["lag"] if name != "reporting-watermarks"]


async def move_offsets(scene: Scene) -> float:
    """while reporting is down, an operator deletes its group, or moves its offsets to the start or to the end"""
    how = ("latest", "delete", "earliest")[scene.cycle % 3]
    await scene.ready("reporting")
    groups = await _groups(scene)
    await scene.kill("reporting", signal.SIGTERM)
    scene.send("reporting", signal.SIGSTOP)  # its next life, before it can join
    try:
        await asyncio.to_thread(_set_offsets, scene.system.kafka, groups, how)
    finally:
        since = time.monotonic()
        scene.send("reporting", signal.SIGCONT)
    seconds = await scene.recovery(since)
    await scene.ready("reporting")
    return seconds


def _set_offsets(kafka: str, groups: list[str], how: str) -> None:
    """Blocking. Refused while a group has members, so tried until it has none; then raises KafkaException."""
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    deadline = time.monotonic() + EMPTY_WITHIN_S
    for group in groups:
        while True:
            try:
                if how == "delete":
                    admin.delete_consumer_groups([group])[group].result()
                else:
                    found = [item for topic in EVENTS for item in bounds(kafka, topic).items()]
                    moved = [TopicPartition(*place, end if how == "latest" else 0) for place, (_, end) in found]
                    admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, moved)])[group].result()
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
            else:
                break


async def lose_token(scene: Scene) -> float:
    """the resume token of a relay's change stream is damaged, or gone, by turns; it scans its journal"""
    victim = SPEAKERS[scene.cycle % len(SPEAKERS)]
    await scene.ready(victim)
    change = {"$unset": {"token": ""}} if scene.cycle % 2 else {"$set": {"token": DAMAGED}}

    def damage() -> None:
        with scene.database(victim) as database:
            database["relay"].update_one({"_id": "relay"}, change)

    scene.send(victim, signal.SIGSTOP)
    await asyncio.to_thread(damage)
    since = await scene.kill(victim)
    return await scene.recovery(since, victim)


async def clock(scene: Scene) -> float:
    """a speaker runs with its clock two days ahead, or behind, is killed, and runs with the right time again"""
    victim = SPEAKERS[scene.cycle % len(SPEAKERS)]
    wrong = DAYS_2 if scene.cycle % 2 == 0 else -DAYS_2
    await scene.ready(victim)
    with started_with("MANYI_CLOCK_AHEAD_S", str(wrong)):
        since = await scene.kill(victim)
    astray = await scene.recovery(since, victim)
    await scene.ready(victim)
    since = await scene.kill(victim)
    back = await scene.recovery(since, victim)
    await scene.ready(victim)
    return max(astray, back)


async def doubt(scene: Scene) -> float:
    """commits of 20 transactions are done with their outcome left open, cut off, or refused for a conflict, by turns"""
    point = {"failCommands": ["commitTransaction"], **UNTRUE[scene.cycle % len(UNTRUE)]}
    await asyncio.to_thread(_fail_commits, scene, {"times": DOUBTS}, point)
    since = time.monotonic()
    seconds = await scene.recovery(since, scene.random.choice(SPEAKERS))
    await scene.pause(1.0, 2.0)
    met = await asyncio.to_thread(_fail_commits, scene, "off", {})
    if not met:
        scene.troubles.append("no commit met the doubts")
    return seconds


def _fail_commits(scene: Scene, mode: Any, data: dict[str, Any]) -> int:
    """Set mongod's fail point, and answer how often the former one was met (blocking). Raises PyMongoError."""
    with scene.database("reporting") as database:
        change = {"configureFailPoint": "failCommand", "mode": mode, "data": data}
        return int(database.client.admin.command(change)["count"])
