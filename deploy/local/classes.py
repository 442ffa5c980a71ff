"""An archive of the classes that the broker loads, kept between its starts: it starts with half the processor time.

A JVM writes it when it ends, once its program has stopped, and maps it at the next start (class data sharing). One that
does not fit is ignored by the JVM, so the archive is named after all that it depends on; so is one that was not
finished, whose head is written last.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from deploy.local.java import Java
from deploy.local.places import cache_dir

SILENT = "-Xlog:cds*=off"
"""Hundreds of lines about classes that cannot be archived."""
UNFINISHED = bytes(4)


def archive(java: Java, jars: Sequence[Path]) -> Path:
    """Where the archive for this Java and these jars is, or will be."""
    depends_on = [f"{path} {path.stat().st_mtime_ns}" for path in (java.path.resolve(), *jars)]
    return cache_dir() / "classes" / f"{hashlib.sha256(repr(depends_on).encode()).hexdigest()[:16]}.jsa"


def used(java: Java, jars: Sequence[Path]) -> tuple[str, ...]:
    """The JVM's options that make it start from the archive; none while there is no finished one."""
    path = archive(java, jars)
    if not path.exists():
        return ()
    with path.open("rb") as head:
        finished = head.read(len(UNFINISHED)) not in (b"", UNFINISHED)
    return (f"-XX:SharedArchiveFile={path}", SILENT) if finished else ()


def kept(java: Java, jars: Sequence[Path]) -> tuple[str, ...]:
    """The options that make it write the archive at its end; a runtime without an archive of its own writes none."""
    path = archive(java, jars)
    path.parent.mkdir(parents=True, exist_ok=True)
    return (f"-XX:ArchiveClassesAtExit={path}", SILENT)
