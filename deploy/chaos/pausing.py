"""Processes that stand still and go on as if nothing had happened."""

import asyncio
import signal
import time

import psutil

from deploy.chaos.killing import REACHED_WITHIN_S
from deploy.chaos.scene import SPEAKERS, Scene, started_with

PAST_SESSION_S = 40.0
STALL_S = 5.0
PROBES = 6
"""Calls that are looked for while one stands still: some of them fall into its partitions."""
RELAY_POINTS = ("relay.store", "relay.sent-one")


async def zombie_consumer(scene: Scene) -> float:
    """reporting stands still for 40 s, at a random moment or inside a transaction; another takes over, then it wakes"""
    if scene.cycle % 2:
        return await _asleep_at(scene, "reporting", "committer.written")
    async with scene.second("reporting") as another:
        await scene.pause(1.0, 2.0)
        since = time.monotonic()
        scene.send("reporting", signal.SIGSTOP)
        return await _awake_again(scene, "reporting", since, another)


async def zombie_relay(scene: Scene) -> float:
    """a speaker stands still for 40 s between sending and remembering; another relays, then it wakes"""
    return await _asleep_at(scene, SPEAKERS[scene.cycle % len(SPEAKERS)], RELAY_POINTS[scene.cycle % 2])


async def _asleep_at(scene: Scene, name: str, point: str) -> float:
    """Let it stand still at a point; only then another instance begins."""
    with started_with("MANYI_STOP_AT", f"{point}:{scene.random.randint(1, 3)}"):
        await scene.kill(name, signal.SIGTERM)

    def stands_still() -> bool:
        pid = scene.supervisor.pid(name)
        return pid is not None and psutil.Process(pid).status() == psutil.STATUS_STOPPED

    await scene.until(stands_still, f"{name} does not reach {point}", REACHED_WITHIN_S)
    since = time.monotonic()
    async with scene.second(name) as another:
        return await _awake_again(scene, name, since, another)


async def _awake_again(scene: Scene, name: str, since: float, another: str) -> float:
    """Seconds until the other one was heard; returns when the sleeper is awake and both went on together."""
    speaker = name if name in SPEAKERS else "survey"
    try:
        reporting = another if name == "reporting" else None
        seconds = max([await scene.recovery(since, speaker, reporting) for _ in range(PROBES)])
        await asyncio.sleep(max(0.0, PAST_SESSION_S - (time.monotonic() - since)))
    finally:
        scene.send(name, signal.SIGCONT)
    await scene.recovery(time.monotonic(), speaker)
    return seconds


async def stall_mongod(scene: Scene) -> float:
    """mongod stands still for 5 s, and for 20 s every other time; measured from when it goes on"""
    scene.send("mongo", signal.SIGSTOP)
    try:
        await asyncio.sleep(STALL_S * (4 if scene.cycle % 2 else 1))
    finally:
        scene.send("mongo", signal.SIGCONT)
    return await scene.recovery(time.monotonic())
