"""`manyi doctor`: what this machine has, what it lacks, and what to do about it."""

import os
import shutil
import sys
from dataclasses import dataclass
from typing import Literal

from deploy.cli.screen import err, out
from deploy.local.trouble import CannotContinue

Verdict = Literal["good", "warning", "bad"]
MARKS: dict[Verdict, str] = {"good": "[green]✓[/green]", "warning": "[yellow]![/yellow]", "bad": "[red]✗[/red]"}
COMFORTABLE_GIB = 2
COMFORTABLE_MEMORY_GIB = 2


@dataclass(frozen=True)
class Finding:
    """One thing looked at: how it stands, what was seen, and what to do when it is not good."""

    verdict: Verdict
    subject: str
    seen: str
    advice: str = ""


def doctor() -> None:
    """See what this machine lacks, and what to do about it."""
    bad = 0
    for look in (python, java, kafka, mongod, disk, memory, ports, registries, docker, running):
        try:
            findings = look()
        except CannotContinue as refusal:
            findings = [Finding("bad", look.__name__, str(refusal))]
        for finding in findings:
            out.print(f"{MARKS[finding.verdict]} [bold]{finding.subject:<9}[/bold] {finding.seen}", highlight=False)
            if finding.advice:
                out.print(f"  {'':<9} [dim]{finding.advice}[/dim]", highlight=False)
            bad += finding.verdict == "bad"
    if bad:
        raise CannotContinue(f"{bad} of these must be mended before `manyi up` can work.")
    err.print("Ready for `manyi up`.")


def python() -> list[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.platform == "linux" and os.uname().machine == "x86_64":
        return [Finding("good", "python", f"{version} on Linux x86-64")]
    return [
        Finding(
            "warning",
            "python",
            f"{version} on {sys.platform}",
            "Only Linux x86-64 is tested; elsewhere children may outlive a crash of `up`.",
        )
    ]


def java() -> list[Finding]:
    from deploy.local.java import find_java

    found = find_java()
    return [Finding("good", "java", f"{found.major} {found.origin} ({found.path})")]


def kafka() -> list[Finding]:
    from deploy.local.jars import KAFKA_VERSION, LOCK, SIZE_NOTE, is_genuine, parse_lock
    from deploy.local.places import cache_dir

    cache = cache_dir() / "jars"
    jars = parse_lock(LOCK.read_text())
    good = sum(is_genuine(jar, cache) for jar in jars)
    if good == len(jars):
        return [Finding("good", "kafka", f"{KAFKA_VERSION}, {good} jars with the pinned content in {cache}")]
    return [
        Finding(
            "warning",
            "kafka",
            f"{KAFKA_VERSION}, {good} of {len(jars)} jars in {cache}",
            f"`manyi up` fetches the rest ({SIZE_NOTE}).",
        )
    ]


def mongod() -> list[Finding]:
    from deploy.local.mongo import LICENCE_NOTICE, find_mongod

    found = find_mongod()
    version = found.version()
    if int(version.split(".")[0]) < 6:
        return [
            Finding(
                "bad",
                "mongod",
                f"{version} {found.origin}",
                "MongoDB 6 or newer is needed: install it, or take the old one off PATH.",
            )
        ]
    return [Finding("warning", "mongod", f"{version} {found.origin}, development only", LICENCE_NOTICE)]


def disk() -> list[Finding]:
    from deploy.local.places import LEAST_FREE_BYTES, ROOT

    free = shutil.disk_usage(ROOT).free
    seen = f"{free / 2**30:.1f} GiB free at {ROOT}"
    if free < LEAST_FREE_BYTES:
        return [Finding("bad", "disk", seen, "Free some space or keep the data elsewhere with --data DIR.")]
    return [Finding("good" if free > COMFORTABLE_GIB * 2**30 else "warning", "disk", seen)]


def memory() -> list[Finding]:
    import psutil

    free = psutil.virtual_memory().available / 2**30
    enough = free > COMFORTABLE_MEMORY_GIB
    advice = "" if enough else "Manyi takes up to 1.5 GiB: close something."
    return [Finding("good" if enough else "warning", "memory", f"{free:.1f} GiB available", advice)]


def ports() -> list[Finding]:
    from deploy.local.ports import holder, is_free
    from deploy.local.system import PREFERRED_PORTS

    taken = {port: name for name, port in PREFERRED_PORTS.items() if not is_free(port)}
    if not taken:
        return [Finding("good", "ports", f"{', '.join(map(str, PREFERRED_PORTS.values()))} are free")]
    return [
        Finding(
            "warning",
            "ports",
            f"{port} ({name}) is held by {holder(port)}",
            "`manyi up` takes another free port; `manyi status` says which.",
        )
        for port, name in taken.items()
    ]


def registries() -> list[Finding]:
    """Only asked about what may have to be fetched; an installed machine works without a network."""
    from jgo.constants import MAVEN_CENTRAL_URL

    maven = os.environ.get("MANYI_MAVEN_REPOSITORY") or str(MAVEN_CENTRAL_URL)
    return [_reach("Maven repository (Kafka's jars)", maven, "name a mirror in MANYI_MAVEN_REPOSITORY")]


def _reach(what: str, url: str, remedy: str) -> Finding:
    import requests

    try:
        requests.head(url, timeout=5, allow_redirects=True)
    except requests.RequestException as error:
        return Finding(
            "warning",
            "network",
            f"{what} does not answer ({type(error).__name__})",
            f"What is cached still works; else check the network or {remedy}.",
        )
    return Finding("good", "network", f"{what} answers")


def docker() -> list[Finding]:
    engine = shutil.which("docker")
    if not engine:
        return [Finding("good", "docker", "not here and not needed")]
    import subprocess

    try:
        answer = subprocess.run([engine, "info"], capture_output=True, timeout=10, check=False)
    except subprocess.TimeoutExpired:
        return [
            Finding("warning", "docker", "the engine does not answer", "Tests would wait for it: stop it or mend it.")
        ]
    return [
        Finding(
            "good", "docker", "an engine answers" if answer.returncode == 0 else "no engine answers, and none is needed"
        )
    ]


def running() -> list[Finding]:
    from deploy.local.state import running_system

    try:
        state = running_system(None)
    except CannotContinue:
        return [Finding("good", "system", "not running")]
    return [Finding("good", "system", f"running on {state.data} (pid {state.pid})")]
