"""The supervisor, on processes small enough to reason about."""

import os
import signal
import sys
from functools import partial
from pathlib import Path

import pytest

from deploy.local.supervisor import FALSE_STARTS, Program, Supervisor
from deploy.local.trouble import CannotContinue
from tests.support.eventually import eventually

FOREVER = "import signal; signal.pause()"
DEAF = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
while True:
    signal.pause()
"""


async def at_once() -> bool:
    return True


def lives(supervisor: Supervisor, life: int) -> bool:
    """Whether its only program was started so often and is ready."""
    (name,) = supervisor.names
    return supervisor.starts(name) == life and supervisor.is_ready(name)


def program(folder: Path, name: str, code: str = FOREVER, **more: object) -> Program:
    given: dict[str, object] = {"ready": at_once, **more}
    return Program(name, [sys.executable, "-S", "-c", code], folder / f"{name}.log", **given)  # type: ignore[arg-type]


async def test_what_is_needed_starts_first_and_stops_last(tmp_path: Path) -> None:
    order: list[str] = []

    async def note() -> None:
        order.append("database ready")

    async def service_is_ready() -> bool:
        order.append("service asked")
        return True

    supervisor = Supervisor([
        program(tmp_path, "service", needs=("database",), ready=service_is_ready),
        program(tmp_path, "database", once_ready=note),
    ])  # fmt: skip
    await supervisor.start(20)
    assert order == ["database ready", "service asked"]
    database = supervisor.pid("database")
    assert database
    await supervisor.stop()
    assert supervisor.pid("service") is supervisor.pid("database") is None
    with pytest.raises(ProcessLookupError):
        os.kill(database, 0)


async def test_what_dies_is_started_again(tmp_path: Path) -> None:
    supervisor = Supervisor([program(tmp_path, "one")])
    await supervisor.start(20)
    before = supervisor.pid("one")
    assert before
    os.kill(before, signal.SIGKILL)
    await eventually(lambda: supervisor.starts("one") == 2 and supervisor.is_ready("one"))
    assert supervisor.pid("one") != before
    await supervisor.stop()


async def test_what_was_ready_and_is_killed_again_and_again_does_not_wait_longer_each_time(tmp_path: Path) -> None:
    supervisor = Supervisor([program(tmp_path, "one")])
    await supervisor.start(20)
    for life in range(2, 10):  # with doubled pauses this would take 0.2 s + 0.4 s + …, half a minute together
        pid = supervisor.pid("one")
        assert pid
        os.kill(pid, signal.SIGKILL)
        await eventually(partial(lives, supervisor, life))
    await supervisor.stop()


async def test_what_rests_is_not_started_until_told_to_go_on(tmp_path: Path) -> None:
    supervisor = Supervisor([program(tmp_path, "one"), program(tmp_path, "other")])
    await supervisor.start(20)
    other = supervisor.pid("other")
    await supervisor.rest(["one"])
    assert supervisor.pid("one") is None
    assert not supervisor.is_ready("one")
    supervisor.go_on(["one"])
    await eventually(lambda: supervisor.is_ready("one"))
    assert (supervisor.starts("one"), supervisor.pid("other")) == (2, other)
    await supervisor.stop()
    assert supervisor.pid("one") is supervisor.pid("other") is None


async def test_what_refuses_after_a_rest_is_told(tmp_path: Path) -> None:
    switch, log = tmp_path / "refuse", tmp_path / "one.log"
    code = (
        f"import pathlib, signal\nif pathlib.Path({str(switch)!r}).exists():\n"
        f"    print('error: not so', flush=True)\n    raise SystemExit({os.EX_CONFIG})\n"
        "print('here', flush=True)\nsignal.pause()"
    )

    async def here() -> bool:
        return log.exists() and log.read_text().endswith("here\n")

    supervisor = Supervisor([program(tmp_path, "one", code, ready=here)])
    await supervisor.start(20)
    await supervisor.rest(["one"])
    assert not supervisor.refused("one")
    log.unlink()
    switch.touch()
    supervisor.go_on(["one"])
    await eventually(lambda: supervisor.refused("one"))
    switch.unlink()
    await supervisor.rest(["one"])
    supervisor.go_on(["one"])
    await eventually(lambda: supervisor.is_ready("one"))
    assert not supervisor.refused("one")
    await supervisor.stop()


async def test_what_never_becomes_ready_ends_the_start_with_its_last_words(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    supervisor = Supervisor([program(tmp_path, "one", "raise SystemExit('Error: no such thing')", ready=never)])
    with pytest.raises(CannotContinue, match=r"one ended with status 1 before it was ready.*Error: no such thing"):
        await supervisor.start(20)
    assert supervisor.starts("one") == FALSE_STARTS


async def test_what_refuses_is_not_started_again(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    refusing = program(tmp_path, "one", f"print('error: not so'); raise SystemExit({os.EX_CONFIG})", ready=never)
    supervisor = Supervisor([refusing])
    with pytest.raises(CannotContinue, match=r"one ended with status 78 before it was ready.*error: not so"):
        await supervisor.start(20)
    assert supervisor.starts("one") == 1


async def test_what_takes_too_long_is_named_and_stopped(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    supervisor = Supervisor([program(tmp_path, "slow", ready=never)])
    with pytest.raises(CannotContinue, match=r"Not ready after 1 s: slow\."):
        await supervisor.start(1)
    assert supervisor.pid("slow") is None


async def test_a_program_that_does_not_exist_says_so(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    missing = Program("missing", ["/no/such/program"], tmp_path / "missing.log", ready=never)
    with pytest.raises(CannotContinue, match=r"/no/such/program could not be started: No such file"):
        await Supervisor([missing]).start(20)


async def test_who_does_not_listen_to_sigterm_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "deaf.log"

    async def is_deaf() -> bool:
        return "deaf" in log.read_text()

    supervisor = Supervisor([program(tmp_path, "deaf", DEAF, ready=is_deaf, stop_within=0.2)])
    await supervisor.start(20)
    await supervisor.stop()
    assert supervisor.pid("deaf") is None
