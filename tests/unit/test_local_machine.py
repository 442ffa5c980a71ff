"""What is found on a machine, and the sentences for what is not."""

import json
import os
import socket
import tempfile
from pathlib import Path

import pytest

from deploy.local import kafka, ports, state, system
from deploy.local.java import major_version
from deploy.local.places import refuse_full_disk
from deploy.local.trouble import CannotContinue


@pytest.mark.parametrize(
    ("banner", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25" 2025-09-16', 25),
        ('java version "1.8.0_412"', 8),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", None),
    ],
)
def test_java_says_its_version(banner: str, major: int | None) -> None:
    assert major_version(banner) == major


def test_a_taken_port_names_its_holder() -> None:
    with socket.socket() as held:
        held.bind((ports.LOOPBACK, 0))
        held.listen()
        port = held.getsockname()[1]
        with pytest.raises(CannotContinue, match=rf"Port {port} for customer is in use by pid {os.getpid()} \("):
            ports.refuse_taken_port(port, "customer")
    ports.refuse_taken_port(port, "customer")


def test_ports_are_all_different() -> None:
    assert len(set(ports.free_ports(20))) == 20


def test_the_first_process_of_a_service_has_its_usual_port_where_that_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    usual, other = ports.free_ports(2)
    monkeypatch.setattr(system, "PREFERRED_PORTS", {"customer": usual, "survey": other})
    found = system.addresses_of(("customer", "survey"), {"customer": 3}, ["customer"])
    assert list(found["customer"]) == ["customer", "customer-2", "customer-3"]
    assert list(found["survey"]) == ["survey"]
    assert found["customer"]["customer"] == f"http://{ports.LOOPBACK}:{usual}"
    assert found["survey"]["survey"] != f"http://{ports.LOOPBACK}:{other}"
    assert len({url for group in found.values() for url in group.values()}) == 4


def test_a_port_that_another_system_has_or_is_about_to_have_is_not_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    port, taken = ports.free_ports(2)
    with ports.claimed(port) as ours:
        assert ours
        with ports.claimed(port) as again:
            assert not again
    with ports.claimed(port) as ours, socket.socket() as held:
        assert ours
        held.bind((ports.LOOPBACK, taken))
        held.listen()
        with ports.claimed(taken) as listened_at:
            assert not listened_at


def test_a_full_disk_is_said_before_anything_starts(tmp_path: Path) -> None:
    refuse_full_disk(tmp_path / "not" / "there" / "yet", least=1)
    with pytest.raises(CannotContinue, match="free some space, or choose another place with --data DIR"):
        refuse_full_disk(tmp_path, least=2**60)


def test_kafka_never_makes_topics_by_itself_and_stays_on_loopback(tmp_path: Path) -> None:
    lines = kafka.properties(tmp_path, 1001, 1002).splitlines()
    assert "auto.create.topics.enable=false" in lines
    assert "listeners=CLIENTS://127.0.0.1:1001,CONTROLLER://127.0.0.1:1002" in lines
    assert "offsets.topic.replication.factor=1" in lines


def test_keys_are_made_once_and_are_private(tmp_path: Path) -> None:
    first = state.ensure_keys(tmp_path)
    keys = json.loads(first.read_text())
    assert {name: len(bytes.fromhex(key)) for name, key in keys.items()} == {"installation_key": 32, "master_key": 32}
    assert first.stat().st_mode & 0o777 == 0o600
    assert json.loads(state.ensure_keys(tmp_path).read_text()) == keys


def test_a_data_directory_belongs_to_one(tmp_path: Path) -> None:
    assert state.running_pid(tmp_path) is None
    with state.exclusive(tmp_path):
        assert state.running_pid(tmp_path) == os.getpid()
        with (
            pytest.raises(CannotContinue, match=rf"already running on .* \(pid {os.getpid()}\)"),
            state.exclusive(tmp_path),
        ):
            pass
    assert state.running_pid(tmp_path) is None


def test_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert state.SystemState.read(tmp_path) is None
    written = state.SystemState(
        7,
        str(tmp_path),
        "k:1",
        "m:2",
        {"customer": "http://c"},
        {"customer": {"customer": "http://c"}},
        {"kafka": state.ProcessState(8, True, 1, "log")},
    )
    written.write()
    assert state.SystemState.read(tmp_path) == written


def test_nothing_running_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CannotContinue, match="start it with `manyi up`"):
        state.running_system(tmp_path)


def test_the_data_is_that_of_the_running_system_unless_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, elsewhere = tmp_path / "usual", tmp_path / "elsewhere"
    monkeypatch.setattr(state, "DEFAULT_DATA", usual)
    monkeypatch.setattr(state, "LAST_DATA", tmp_path / "last-data")
    state.remember(elsewhere)
    assert state.data_of(None) == usual
    with state.exclusive(elsewhere):
        state.SystemState(os.getpid(), str(elsewhere), "k:1", "m:2").write()
        assert state.data_of(None) == elsewhere
        assert state.data_of(tmp_path) == tmp_path
    assert state.data_of(None) == usual
