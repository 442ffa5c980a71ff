"""Processes that are killed, told to stop, or fail."""

import signal
import time

from deploy.chaos.scene import SERVICES, SPEAKERS, Scene, started_with

REPORTING = ("reporting",)
POINTS = {
    "committer.claim": REPORTING, "committer.claimed": REPORTING, "committer.read": REPORTING,
    "committer.commit": REPORTING, "committer.moved": REPORTING, "committer.written": REPORTING,
    "committer.committed": REPORTING, "committer.post": REPORTING, "committer.posted": REPORTING,
    "listening.offsets": SERVICES, "listening.offsets-stored": SERVICES,
    "journal.write": SPEAKERS, "journal.written": SPEAKERS, "journal.committed": SPEAKERS,
    "relay.send": SPEAKERS, "relay.sent-one": SPEAKERS, "relay.store": SPEAKERS, "relay.stored": SPEAKERS,
}  # fmt: skip
"""Crash points (shared/plumbing/crashing.py) and who passes them under load."""
INSIDE = ("committer.moved", "journal.written", "committer.written")
"""Those inside an open transaction."""
ONCE = ("committer.claim", "committer.claimed")
"""Those passed once after a start and, under a load that moves no partitions, never again."""
REACHED_WITHIN_S = 60.0
DRAIN_WITHIN_S = 15.0


def speaker_for(scene: Scene, victim: str) -> str:
    """Whom to tell something that goes through the victim."""
    return victim if victim in SPEAKERS else scene.random.choice(SPEAKERS)


async def kill_anywhere(scene: Scene) -> float:
    """kill -9 of a service, by turns at a random moment and at a random crash point"""
    if scene.cycle % 2:
        point = scene.random.choice(sorted(POINTS))
        return await die_at(scene, point, scene.random.choice(POINTS[point]))
    await scene.pause(0.0, 2.0)
    return await killed(scene, SERVICES[scene.cycle // 2 % len(SERVICES)], signal.SIGKILL)


async def kill_in_transaction(scene: Scene) -> float:
    """kill -9 inside an open transaction; the successor does not wait for the dead session"""
    point = INSIDE[scene.cycle % len(INSIDE)]
    return await die_at(scene, point, POINTS[point][scene.cycle // len(INSIDE) % len(POINTS[point])])


async def killed(scene: Scene, victim: str, how: signal.Signals) -> float:
    """End a process with a signal, and measure from then on."""
    await scene.ready(victim)
    since = await scene.kill(victim, how)
    seconds = await scene.recovery(since, speaker_for(scene, victim))
    await scene.ready(victim)
    return seconds


async def die_at(scene: Scene, point: str, victim: str) -> float:
    """Start the victim anew with a crash point, and measure from its death there."""
    await scene.ready(victim)
    passing = 1 if point in ONCE else scene.random.randint(1, 3)
    with started_with("MANYI_CRASH_AT", f"{point}:{passing}"):
        await scene.kill(victim)
    starts, armed = scene.supervisor.starts(victim), scene.supervisor.pid(victim)
    try:
        await scene.until(lambda: scene.supervisor.pid(victim) != armed, "", REACHED_WITHIN_S)
    except TimeoutError:
        scene.notes.append(f"{victim} did not reach {point} in {REACHED_WITHIN_S:.0f} s and was killed elsewhere")
        scene.send(victim, signal.SIGKILL)
    since = time.monotonic()
    await scene.until(lambda: scene.supervisor.starts(victim) > starts, f"{victim} is not started again")
    seconds = await scene.recovery(since, speaker_for(scene, victim))
    await scene.ready(victim)
    return seconds


async def fail_once(scene: Scene) -> float:
    """a step on the way of a record raises once in a live process; nothing is skipped"""
    point = scene.random.choice(sorted(POINTS))
    victim = scene.random.choice(POINTS[point])
    with started_with("MANYI_FAIL_AT", f"{point}:{scene.random.randint(1, 3)}"):
        return await killed(scene, victim, signal.SIGTERM)


async def kill_mongod(scene: Scene) -> float:
    """kill -9 of mongod under load, in the middle of transactions"""
    await scene.pause(0.0, 2.0)
    return await killed(scene, "mongo", signal.SIGKILL)


async def kill_broker(scene: Scene) -> float:
    """kill -9 of the broker under load"""
    await scene.pause(0.0, 2.0)
    return await killed(scene, "kafka", signal.SIGKILL)


async def restart_broker(scene: Scene) -> float:
    """the broker is told to stop under load and started again; measured from the signal on"""
    await scene.pause(0.0, 2.0)
    return await killed(scene, "kafka", signal.SIGTERM)


async def terminate(scene: Scene) -> float:
    """SIGTERM under load, on top of it a second one by turns; the process drains within 15 s"""
    victim = SERVICES[scene.cycle % len(SERVICES)]
    await scene.ready(victim)
    pid, since = scene.supervisor.pid(victim), time.monotonic()
    scene.send(victim, signal.SIGTERM)
    if scene.cycle // len(SERVICES) % 2:
        await scene.pause(0.0, 0.5)
        if scene.supervisor.pid(victim) == pid:
            scene.send(victim, signal.SIGTERM)
    await scene.until(lambda: scene.supervisor.pid(victim) != pid, f"{victim} does not stop")
    drained = time.monotonic() - since
    if drained > DRAIN_WITHIN_S:
        scene.troubles.append(f"{victim} took {drained:.1f} s to stop")
    seconds = await scene.recovery(since, speaker_for(scene, victim))
    await scene.ready(victim)
    return seconds
