"""The archive of the broker's classes is used once it is finished, with the Java and the jars it was made of."""

import os
from pathlib import Path

import pytest

from deploy.local import classes
from deploy.local.java import Java


@pytest.fixture
def java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Java:
    monkeypatch.setenv("MANYI_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "java"
    path.touch()
    return Java(path, 17, "here")


def test_it_is_written_until_it_is_finished_and_then_used(java: Java) -> None:
    path = classes.archive(java, [])
    assert classes.used(java, []) == ()
    assert f"-XX:ArchiveClassesAtExit={path}" in classes.kept(java, [])
    for unfinished in (b"", bytes(4096)):
        path.write_bytes(unfinished)
        assert classes.used(java, []) == ()
    path.write_bytes(b"\xa8\xab\x0b\xf0" + bytes(4096))
    assert f"-XX:SharedArchiveFile={path}" in classes.used(java, [])


def test_another_java_or_another_jar_has_another_archive(java: Java, tmp_path: Path) -> None:
    jar = tmp_path / "kafka.jar"
    jar.touch()
    found = {classes.archive(java, []), classes.archive(java, [jar])}
    os.utime(jar, (1, 1))  # fetched anew
    assert len(found | {classes.archive(java, [jar])}) == 3
