"""Dying at a named point, for `manyi chaos` alone: nothing happens anywhere unless one of three variables is set.

MANYI_CRASH_AT=name[:n] ends the process, as kill -9 would, when it reaches the point for the n-th time (default 1);
MANYI_STOP_AT=name[:n] makes it stand still there until it gets a SIGCONT, MANYI_FAIL_AT=name[:n] raises
ConnectionError there, once. The points are those that call `point` with their name: before and after each await on the
way of a commit (committer, journal) and of a publication (relay).
"""

import os
import signal
from collections.abc import Callable


def _countdown(variable: str, happen: Callable[[str], None]) -> Callable[[str], None] | None:
    chosen, _, count = os.environ.get(variable, "").partition(":")
    if not chosen:
        return None
    left = int(count or 1)

    def passed(name: str) -> None:
        nonlocal left
        if name == chosen:
            left -= 1
            if left == 0:
                happen(name)

    return passed


def _die(_name: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stand_still(_name: str) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _fail(name: str) -> None:
    raise ConnectionError(f"MANYI_FAIL_AT {name}")


def _nowhere(_name: str) -> None:
    """What a point does in every ordinary process."""


point: Callable[[str], None] = (
    _countdown("MANYI_CRASH_AT", _die)
    or _countdown("MANYI_STOP_AT", _stand_still)
    or _countdown("MANYI_FAIL_AT", _fail)
    or _nowhere
)
