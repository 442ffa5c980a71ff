"""What a running system leaves in its data directory for other commands: a lock, state.json and the keys."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from deploy.local.places import DEFAULT_DATA, LAST_DATA
from deploy.local.trouble import CannotContinue

KEYS_NAME = "keys.json"
NOT_RUNNING = "Nothing is running here: start it with `manyi up`, or name its data directory with --data DIR."


@dataclass(frozen=True)
class ProcessState:
    """One supervised process as last seen; `pid` is None between a death and the next start."""

    pid: int | None
    ready: bool
    starts: int
    log: str


@dataclass(frozen=True)
class SystemState:
    """state.json: who runs the system, where it listens and what it consists of."""

    pid: int
    data: str
    kafka: str
    mongo: str
    services: dict[str, str] = field(default_factory=dict)
    instances: dict[str, dict[str, str]] = field(default_factory=dict)
    """Service → its processes by name → where each listens; the first is the service's address."""
    processes: dict[str, ProcessState] = field(default_factory=dict)

    @property
    def addresses(self) -> dict[str, str]:
        """Where every process of every service listens, by the process's name."""
        return {name: url for group in self.instances.values() for name, url in group.items()}

    def write(self) -> None:
        """Replace state.json in one step, so that nobody reads half of it."""
        target = Path(self.data) / "state.json"
        draft = target.with_suffix(".json.new")
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n")
        draft.replace(target)

    @staticmethod
    def read(data_dir: Path) -> "SystemState | None":
        """The state in the directory, None where there is none; whether it still runs is the lock's to say."""
        try:
            stored = json.loads((data_dir / "state.json").read_text())
        except FileNotFoundError:
            return None
        processes = {name: ProcessState(**process) for name, process in stored.pop("processes").items()}
        return SystemState(**stored, processes=processes)


def running_pid(data_dir: Path) -> int | None:
    """Who holds the directory's lock, None when nobody does; unlike a pid file, a lock ends with its holder."""
    try:
        with (data_dir / "lock").open("r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(lock.read() or 0)
    except FileNotFoundError:
        return None
    return None


@contextmanager
def exclusive(data_dir: Path) -> Iterator[None]:
    """Hold the data directory for this process alone; raises CannotContinue naming who holds it already."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (data_dir / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise CannotContinue(
                f"Manyi is already running on {data_dir} (pid {lock.read() or 'unknown'}): `manyi status` shows it, "
                "`manyi down` stops it."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield
        finally:
            (data_dir / "state.json").unlink(missing_ok=True)


def remember(data_dir: Path) -> None:
    """Let commands without --data find this directory when the default one is not in use."""
    LAST_DATA.parent.mkdir(parents=True, exist_ok=True)
    LAST_DATA.write_text(str(data_dir))


def running_system(data_dir: Path | None) -> SystemState:
    """The running system in `data_dir`, else in the default directory, else where `up` was last started.

    Raises CannotContinue when none runs.
    """
    candidates = [data_dir.resolve()] if data_dir else [DEFAULT_DATA]
    if not data_dir and LAST_DATA.exists():
        candidates.append(Path(LAST_DATA.read_text()))
    for candidate in candidates:
        if (pid := running_pid(candidate)) is not None:
            if state := SystemState.read(candidate):
                return state
            raise CannotContinue(f"Manyi (pid {pid}) is only just starting on {candidate}: try again in a few seconds.")
    raise CannotContinue(NOT_RUNNING)


def data_of(data_dir: Path | None) -> Path:
    """The directory named, else that of the running system, else the default one."""
    if data_dir is not None:
        return data_dir.resolve()
    try:
        return Path(running_system(None).data)
    except CannotContinue:
        return DEFAULT_DATA


def refuse_without_data(data_dir: Path) -> None:
    """Raise CannotContinue when no system ever ran on the directory: a mistyped one must not become an empty system."""
    if not (data_dir / KEYS_NAME).exists():
        raise CannotContinue(f"There is no data of Manyi in {data_dir}: name its directory with --data DIR.")


def ensure_keys(data_dir: Path) -> Path:
    """The installation's keys, made at the first start: losing them makes ids new and private parts unreadable."""
    path = data_dir / KEYS_NAME
    if not path.exists():
        write_keys(path, {"installation_key": secrets.token_hex(32), "master_key": secrets.token_hex(32)})
    return path


def write_keys(path: Path, keys: dict[str, Any]) -> None:
    """Replace the key file in one step, readable by its owner alone."""
    draft = path.with_suffix(".json.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(keys, file)
    draft.replace(path)
