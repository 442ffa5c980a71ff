"""Running the writer of tests/foreign/java: one source file, with the kafka-clients among Kafka's own pinned jars."""

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from deploy.local.jars import kafka_classpath
from deploy.local.java import find_java

SOURCE = Path(__file__).parent / "java" / "Writer.java"


def require_compiler() -> None:
    """Skips, saying so, where Java is a runtime only: running a source file takes the compiler of a JDK."""
    java = find_java()
    modules = subprocess.run([java.path, "--list-modules"], capture_output=True, text=True, check=True).stdout
    if "jdk.compiler" not in modules:
        pytest.skip(f"the Java {java.origin} has no compiler (jdk.compiler): the writer in Java cannot be shown here")


def write(kafka: str, topic: str, events: Iterable[dict[str, Any]], mode: str, compression: str) -> None:
    """Produce the events. Fails with what the writer said when it could not."""
    jars = os.pathsep.join(str(jar) for jar in kafka_classpath())
    done = subprocess.run(
        [find_java().path, "-XX:TieredStopAtLevel=1", "-cp", jars, str(SOURCE), kafka, topic, mode, compression],
        input="".join(json.dumps(event) + "\n" for event in events),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
