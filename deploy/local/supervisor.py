"""Keeps a handful of processes running: starts them in order of need, restarts what dies, stops all of them cleanly."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.trouble import CannotContinue

LAUNCHER = Path(__file__).with_name("launch.py")
PROBE_PAUSE = 0.1
FIRST_DELAY, LONGEST_DELAY = 0.2, 10.0
STEADY_AFTER = 5.0
"""Seconds of being ready after which a death counts as the first one again; so does at any time a death by a signal
of what was ready: it did not fail, somebody killed it."""
FALSE_STARTS = 3
"""A process that ends this often before it was ready even once will not get better by being started again; one that
ends with EX_CONFIG has said so itself."""


async def nothing_more() -> None:
    """The default for what is left to do once a process answers."""


@dataclass(frozen=True)
class Program:
    """What to run: `ready` says whether it serves; `once_ready` runs after that and before those who need it start."""

    name: str
    command: list[str]
    log: Path
    ready: Callable[[], Awaitable[bool]]
    needs: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    once_ready: Callable[[], Awaitable[None]] = nothing_more
    stop_within: float = 20.0


class Watched:
    """One program's present life: its process, whether it is ready, how often it was started."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.process: asyncio.subprocess.Process | None = None
        self.ready = asyncio.Event()
        self.starts = 0
        self.last_exit: int | None = None

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.returncode is None


class Supervisor:
    """Runs the programs as children in process groups of their own, one log file each.

    `on_change` is called whenever a process starts, becomes ready or ends. On Linux no child outlives this process,
    whatever ends it (see launch.py).
    """

    def __init__(self, programs: list[Program], on_change: Callable[[], None] = lambda: None) -> None:
        self._watched = {program.name: Watched(program) for program in programs}
        self._on_change = on_change
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._stopping = False

    @property
    def names(self) -> list[str]:
        return list(self._watched)

    def pid(self, name: str) -> int | None:
        """The process's id while it runs; another one after a restart."""
        process = self._watched[name].process
        return process.pid if process and process.returncode is None else None

    def is_ready(self, name: str) -> bool:
        return self._watched[name].ready.is_set()

    def starts(self, name: str) -> int:
        """How often the program was started so far."""
        return self._watched[name].starts

    async def start(self, within: float) -> None:
        """Start everything and return when all of it is ready.

        Raises CannotContinue, with everything stopped again, when a program ends `FALSE_STARTS` times before it is
        ready, refuses in `once_ready`, or `within` seconds pass.
        """
        for name, watched in self._watched.items():
            self._keepers[name] = asyncio.create_task(self._keep(watched), name=f"keep {name}")
        try:
            await self._all_ready(within)
        except BaseException:
            await self.stop()
            raise

    async def _all_ready(self, within: float) -> None:
        """Return when everything is; raise what ended a keeper before that, CannotContinue when it takes too long."""

        async def everything() -> None:
            for watched in self._watched.values():
                await watched.ready.wait()

        ready = asyncio.create_task(everything())
        try:
            done, _ = await asyncio.wait(
                [ready, *self._keepers.values()], timeout=within, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            ready.cancel()
        for task in done:
            task.result()
        if not done:
            late = [name for name, watched in self._watched.items() if not watched.ready.is_set()]
            raise CannotContinue(f"Not ready after {within:.0f} s: {', '.join(late)}. {self._last_words(late[0])}")

    async def failed(self) -> None:
        """Return never, but raise what ended the keeping of a program, as a once_ready that refuses at a restart."""
        await asyncio.gather(*self._keepers.values())

    def refused(self, name: str) -> bool:
        """Whether the program's last life ended with EX_CONFIG: somebody has to do something before it can go on."""
        return self._watched[name].last_exit == os.EX_CONFIG

    async def rest(self, names: Collection[str]) -> None:
        """Stop these programs, which nobody who runs needs, until they are told to go on."""
        await asyncio.gather(*(self._stop_one(self._watched[name]) for name in names))

    def go_on(self, names: Collection[str]) -> None:
        """Start programs that rest; as at the first start, one that refuses or never becomes ready is given up."""
        for name in names:
            watched = self._watched[name]
            watched.last_exit = None
            self._keepers[name] = asyncio.create_task(self._keep(watched), name=f"keep {name}")

    async def stop(self) -> None:
        """Stop everything, those first whom nobody needs: SIGTERM, time to drain, SIGKILL for what is left."""
        self._stopping = True
        while remaining := [watched for watched in self._watched.values() if watched.program.name in self._keepers]:
            needed = {name for watched in remaining for name in watched.program.needs}
            leaving = [watched for watched in remaining if watched.program.name not in needed]
            await asyncio.gather(*(self._stop_one(watched) for watched in leaving))

    def kill_all(self) -> None:
        """SIGKILL to every process group, for who cannot wait any longer."""
        self._stopping = True
        for watched in self._watched.values():
            self._signal(watched, signal.SIGKILL)

    async def _stop_one(self, watched: Watched) -> None:
        keeper = self._keepers.pop(watched.program.name)
        keeper.cancel()
        await asyncio.wait([keeper])
        if not keeper.cancelled():
            keeper.exception()  # raised by start() or failed() already; here it must not keep the others from stopping
        process = watched.process
        if process is None:
            return
        self._signal(watched, signal.SIGTERM)
        try:
            async with asyncio.timeout(watched.program.stop_within):
                watched.last_exit = await process.wait()
        except TimeoutError:
            self._signal(watched, signal.SIGKILL)
            watched.last_exit = await process.wait()
        watched.ready.clear()
        self._on_change()

    @staticmethod
    def _signal(watched: Watched, number: signal.Signals) -> None:
        if watched.running and watched.process:
            with suppress(ProcessLookupError):  # it ended in between, which is what we wanted
                os.killpg(watched.process.pid, number)

    async def _keep(self, watched: Watched) -> None:
        """One program's life from first start on, until cancelled."""
        program = watched.program
        for name in program.needs:
            await self._watched[name].ready.wait()
        delay = FIRST_DELAY
        ever_ready = False
        before = watched.starts
        while True:
            process = await self._spawn(watched)
            ended = asyncio.create_task(process.wait())
            since = await self._until_ready(watched, ended)
            if since is not None:
                ever_ready = True
                watched.ready.set()
                self._on_change()
            watched.last_exit = await ended
            watched.ready.clear()
            self._on_change()
            refuses = watched.last_exit == os.EX_CONFIG
            if not ever_ready and (refuses or watched.starts - before >= FALSE_STARTS):
                raise CannotContinue(
                    f"{program.name} ended with status {watched.last_exit} before it was ready. "
                    f"{self._last_words(program.name)}"
                )
            if since is not None and (watched.last_exit < 0 or time.monotonic() - since > STEADY_AFTER):
                delay = FIRST_DELAY
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)

    async def _spawn(self, watched: Watched) -> asyncio.subprocess.Process:
        program = watched.program
        program.log.parent.mkdir(parents=True, exist_ok=True)
        with program.log.open("ab") as log:
            watched.process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), *program.command,
                env={**os.environ, **program.environment},
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        watched.starts += 1
        self._on_change()
        return watched.process

    async def _until_ready(self, watched: Watched, ended: asyncio.Task[int]) -> float | None:
        """Poll until the program serves and what follows is done; None when it ended first."""
        while not ended.done():
            if await watched.program.ready():
                await watched.program.once_ready()
                return time.monotonic()
            await asyncio.wait([ended], timeout=PROBE_PAUSE)
        return None

    def _last_words(self, name: str) -> str:
        """Where the log is and what it says at its end."""
        log = self._watched[name].program.log
        lines = (
            [line for line in log.read_text(errors="replace").splitlines()[-50:] if line.strip()]
            if log.exists()
            else []
        )
        telling = next(
            (line for line in reversed(lines) if "rror" in line or "xception" in line), lines[-1:] and lines[-1]
        )
        return f"Its log {log} says: {str(telling).strip()[:500]}" if telling else f"Its log is {log}."
