"""How the peers on a JVM are started: their sources compiled once, their jars pinned, their memory bounded."""

import hashlib
import os
import subprocess
from pathlib import Path

from deploy.bench.peers.jars import CONNECT, HERE, STREAMS
from deploy.local.jars import classpath
from deploy.local.java import Java, find_java
from deploy.local.places import cache_dir
from deploy.local.trouble import CannotContinue

JVM = ("-Xms512m", "-Xmx1g", "-XX:+UseParallelGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")


def streams() -> list[str]:
    """Kafka Streams, told by the environment what to do."""
    return [*_command(STREAMS, "Streams", "Shelf"), "Streams"]


def connect() -> list[str]:
    """A Kafka Connect worker with MongoDB's sink, told by the environment what to do."""
    settings = [str(HERE / f"connect-{what}.properties") for what in ("worker", "sink")]
    return [*_command(CONNECT, "ToShelf", "Shelf"), "org.apache.kafka.connect.cli.ConnectStandalone", *settings]


def _command(lock: Path, *classes: str) -> list[str]:
    """Up to where the main class goes. Raises CannotContinue when jars cannot be had or nothing here compiles."""
    java, jars = find_java(), classpath(lock, f"The jars of {lock.name}")
    compiled = _compiled(java, lock, jars, [HERE / f"{name}.java" for name in classes])
    return [str(java.path), *JVM, "-cp", os.pathsep.join(map(str, [compiled, *jars]))]


def _compiled(java: Java, lock: Path, jars: list[Path], sources: list[Path]) -> Path:
    """Where the classes are; named after what they were compiled from, so that a change is compiled anew."""
    content = b"".join(path.read_bytes() for path in [lock, *sources])
    place = cache_dir() / "bench" / f"classes-{java.major}-{hashlib.sha256(content).hexdigest()[:16]}"
    if (place / "complete").exists():
        return place
    compiler = [str(java.path), "-m", "jdk.compiler/com.sun.tools.javac.Main"]
    arguments = ["-nowarn", "-d", str(place), "-cp", os.pathsep.join(map(str, jars)), *map(str, sources)]
    ran = subprocess.run([*compiler, *arguments], capture_output=True, text=True, check=False)
    if ran.returncode:
        raise CannotContinue(
            f"The peers on a JVM cannot be compiled by the Java {java.origin}; it must be a whole JDK, not a runtime "
            f"only (or leave them out with --only). It said: {ran.stderr.strip()[-500:]}"
        )
    (place / "complete").touch()
    return place
