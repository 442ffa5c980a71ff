"""Jars that only the peers on a JVM need, pinned like Kafka's; `python -m deploy.bench.peers.jars` pins them anew."""

from collections.abc import Iterable
from pathlib import Path

from deploy.local.jars import write_lock

HERE = Path(__file__).parent / "jvm"
STREAMS, CONNECT = HERE / "streams-jars.lock", HERE / "connect-jars.lock"
VOICE = "org.slf4j:slf4j-simple:1.7.36"
ROOTS: dict[Path, tuple[str, ...]] = {
    STREAMS: ("org.apache.kafka:kafka-streams:4.3.1", "org.mongodb:mongodb-driver-sync:5.6.0", VOICE),
    # The connector says itself which drivers it works with; its own older Kafka and Jackson stay away.
    CONNECT: (
        "org.apache.kafka:connect-runtime:4.3.1",
        "org.mongodb:mongodb-driver-sync:4.7.2",
        "org.apache.avro:avro:1.12.0",
        VOICE,
    ),
}
ALONE = {CONNECT: ("org.mongodb.kafka:mongo-kafka-connect:2.0.1",)}
"""Without what they depend on: the roots bring it, in the versions of the others."""


def closure(lock: Path) -> Iterable[str]:
    """Coordinates of the roots and what they depend on; where two want an artifact, the earlier root's version."""
    import jgo

    found: dict[str, str] = {}
    for root in ROOTS[lock]:
        for one in jgo.resolve(root):
            found.setdefault(f"{one.groupId}:{one.artifactId}", one.version)
    return sorted({*(f"{name}:{version}" for name, version in found.items()), *ALONE.get(lock, ())})


if __name__ == "__main__":
    for lock in ROOTS:
        write_lock(lock, f"{ROOTS[lock][0]} and company. Written by: python -m deploy.bench.peers.jars", closure(lock))
