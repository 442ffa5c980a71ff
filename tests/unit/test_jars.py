"""Only the jars that were pinned ever reach a class path."""

import hashlib
from pathlib import Path

import pytest

from deploy.bench.peers.jars import ALONE, ROOTS
from deploy.local.jars import KAFKA_VERSION, LOCK, Jar, is_genuine, kafka_classpath, parse_lock
from deploy.local.trouble import CannotContinue

CONTENT = b"a jar"
JAR = Jar(hashlib.sha256(CONTENT).hexdigest(), "org.example", "thing", "1.0")


def put(cache: Path, content: bytes) -> None:
    JAR.path(cache).parent.mkdir(parents=True)
    JAR.path(cache).write_bytes(content)


def test_the_lock_names_kafka_and_a_voice_for_its_logs() -> None:
    jars = {jar.artifact: jar.version for jar in parse_lock(LOCK.read_text())}
    assert {name for name, version in jars.items() if name.startswith("kafka") and version != KAFKA_VERSION} == set()
    assert jars["kafka_2.13"] == KAFKA_VERSION
    assert jars["log4j-slf4j-impl"] == jars["log4j-core"]


@pytest.mark.parametrize("lock", ROOTS)
def test_the_locks_of_the_peers_hold_each_artifact_once_and_what_they_are_for(lock: Path) -> None:
    coordinates = [jar.coordinate for jar in parse_lock(lock.read_text())]
    assert {*ROOTS[lock], *ALONE.get(lock, ())} <= set(coordinates)
    names = [coordinate.rpartition(":")[0] for coordinate in coordinates]
    assert len(names) == len(set(names))


def test_a_maven_cache_has_this_shape() -> None:
    assert JAR.path(Path("c")) == Path("c/org/example/thing/1.0/thing-1.0.jar")


@pytest.mark.parametrize("line", ["abc  a:b:c", f"{'0' * 64} a:b:c", f"{'0' * 64}  a:b", f"{'x' * 64}  a:b:c"])
def test_a_line_that_pins_nothing_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="line 2 is not"):
        parse_lock(f"# a comment\n{line}\n")


def test_other_content_is_not_genuine(tmp_path: Path) -> None:
    put(tmp_path, CONTENT)
    assert is_genuine(JAR, tmp_path)
    JAR.path(tmp_path).write_bytes(CONTENT + b"!")
    assert not is_genuine(JAR, tmp_path)


def test_a_missing_jar_is_not_genuine(tmp_path: Path) -> None:
    assert not is_genuine(JAR, tmp_path)


def test_no_repository_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANYI_MAVEN_REPOSITORY", "http://127.0.0.1:9/none")
    with pytest.raises(CannotContinue, match="could not be fetched from the Maven repository") as refusal:
        kafka_classpath(tmp_path)
    assert "\n" not in str(refusal.value)
