"""Kafka's jars: fetched by jgo from a Maven repository, accepted only with the SHA-256 in kafka-jars.lock.

`python -m deploy.local.jars` resolves the closure anew and rewrites the lock; nothing else trusts a repository.
"""

import hashlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.places import cache_dir, refuse_full_disk
from deploy.local.trouble import CannotContinue

KAFKA_VERSION = "4.4.0"
KAFKA = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
LOCK = Path(__file__).with_name("kafka-jars.lock")
SIZE_NOTE = "45 jars, 44 MB"


@dataclass(frozen=True)
class Jar:
    """One line of the lock: which jar, and the only content we accept."""

    sha256: str
    group: str
    artifact: str
    version: str

    @property
    def coordinate(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"

    def path(self, cache: Path) -> Path:
        """Where the jar lies in a Maven-shaped cache."""
        folder = cache.joinpath(*self.group.split("."), self.artifact, self.version)
        return folder / f"{self.artifact}-{self.version}.jar"


def parse_lock(text: str) -> list[Jar]:
    """Lines of `sha256  group:artifact:version`; raises ValueError on a line that is not one, naming it."""
    jars = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        digest, _, coordinate = line.partition("  ")
        parts = coordinate.split(":")
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef") or len(parts) != 3 or not all(parts):
            raise ValueError(f"line {number} is not 'sha256  group:artifact:version': {line!r}")
        jars.append(Jar(digest, *parts))
    return jars


def sha256_of(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def is_genuine(jar: Jar, cache: Path) -> bool:
    """Whether the cached file exists and has the locked content."""
    path = jar.path(cache)
    return path.is_file() and sha256_of(path) == jar.sha256


def kafka_classpath(cache: Path | None = None, progress: Callable[[int, int], None] | None = None) -> list[Path]:
    """Kafka's verified jars; `progress(done, total)` is called once per jar that had to be fetched."""
    return classpath(LOCK, f"Kafka's jars ({SIZE_NOTE})", cache, progress)


def classpath(
    lock: Path, what: str, cache: Path | None = None, progress: Callable[[int, int], None] | None = None
) -> list[Path]:
    """The verified jars of a lock, fetched first where they are missing or not what the lock says.

    Raises CannotContinue, naming `what`, when a jar cannot be fetched or arrives with another content than locked.
    """
    cache = cache or cache_dir() / "jars"
    jars = parse_lock(lock.read_text())
    with ThreadPoolExecutor(4) as readers:
        genuine = list(readers.map(lambda jar: is_genuine(jar, cache), jars))
    missing = [jar for jar, good in zip(jars, genuine, strict=True) if not good]
    if missing:
        fetch(missing, lock, what, cache, progress)
    return [jar.path(cache) for jar in jars]


def fetch(missing: list[Jar], lock: Path, what: str, cache: Path, progress: Callable[[int, int], None] | None) -> None:
    """Download the jars side by side and refuse any that does not match its hash."""
    import requests

    refuse_full_disk(cache, 100 * 1024 * 1024)
    context = maven(cache)

    def fetch_one(jar: Jar) -> None:
        jar.path(cache).unlink(missing_ok=True)  # half a file from an interrupted download, or not what was locked
        context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
        if not is_genuine(jar, cache):
            jar.path(cache).unlink()
            raise CannotContinue(
                f"{jar.coordinate} arrived with another content than {lock.name} pins and was thrown away: "
                "try again, and if it happens again find out what stands between you and the Maven repository."
            )

    with ThreadPoolExecutor(8) as lanes:
        try:
            for done, _ in enumerate(lanes.map(fetch_one, missing), start=1):
                if progress:
                    progress(done, len(missing))
        except (requests.RequestException, RuntimeError) as error:
            lanes.shutdown(wait=False, cancel_futures=True)
            raise CannotContinue(
                f"{what} could not be fetched from the Maven repository ({reason(error)}): check the network, name a "
                "mirror in MANYI_MAVEN_REPOSITORY, or, for Kafka alone, use a running one with --external."
            ) from error


def reason(error: Exception) -> str:
    """The kind of failure in a few words; jgo's and requests' own texts run over several lines."""
    return type(error).__name__ if "\n" in str(error) or len(str(error)) > 80 else str(error)


def maven(cache: Path) -> Any:
    """jgo's view of a Maven repository whose local cache is `cache`."""
    from jgo.maven import MavenContext

    mirror = os.environ.get("MANYI_MAVEN_REPOSITORY")
    return MavenContext(repo_cache=cache, remote_repos={"mirror": mirror.rstrip("/")} if mirror else None, timeout=30)


def resolve_closure() -> Iterable[str]:
    """Coordinates of Kafka's runtime closure and of the logging bridge in the version of its log4j.

    The two are resolved apart: together, log4j's managed versions would replace Kafka's own.
    """
    import jgo

    kafka = jgo.resolve(KAFKA)
    log4j = next(artifact.version for artifact in kafka if artifact.artifactId == "log4j-core")
    bridge = jgo.resolve(f"org.apache.logging.log4j:log4j-slf4j-impl:{log4j}")
    return sorted({f"{found.groupId}:{found.artifactId}:{found.version}" for found in [*kafka, *bridge]})


def write_lock(lock: Path, head: str, coordinates: Iterable[str]) -> None:
    """Download and pin; a person reads the difference before committing it."""
    cache = cache_dir() / "jars"
    context = maven(cache)
    lines = [f"# {head}"]
    for coordinate in coordinates:
        group, artifact, version = coordinate.split(":")
        path = context.project(group, artifact).at_version(version).artifact().resolve()
        lines.append(f"{sha256_of(path)}  {coordinate}")
    lock.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    write_lock(
        LOCK,
        f"Apache Kafka {KAFKA_VERSION} and its runtime closure. Written by: python -m deploy.local.jars",
        resolve_closure(),
    )
