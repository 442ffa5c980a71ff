"""Reading again what the database could not read just now: after a failover, a restart or a change of its catalogue."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from pymongo.errors import AutoReconnect, PyMongoError

from shared.plumbing.telemetry import logger

PATIENCE_S, PAUSE_S = 5.0, 0.1
TRANSIENT = {
    112,  # WriteConflict: also a read whose snapshot had to be given up
    134,  # ReadConcernMajorityNotAvailableYet
    239,  # SnapshotTooOld
    246,  # SnapshotUnavailable: the catalogue changed, or the node has only just come up
}
"""Server error codes after which the same reading, begun anew, may succeed."""

P = ParamSpec("P")
T = TypeVar("T")

log = logger("patience")


def patient(reading: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Begin a reading anew while it fails for a passing reason, for up to PATIENCE_S. It must change nothing.

    Raises the last PyMongoError; one that will not pass at once.
    """

    @wraps(reading)
    async def again(*args: P.args, **kwargs: P.kwargs) -> T:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return await reading(*args, **kwargs)
            except PyMongoError as error:
                if not passing(error) or time.monotonic() + PAUSE_S > until:
                    raise
                log.warning("reading again", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(PAUSE_S)

    return again


def passing(error: PyMongoError) -> bool:
    """Whether the same reading may succeed a moment later."""
    return (
        isinstance(error, AutoReconnect)
        or getattr(error, "code", None) in TRANSIENT
        or error.has_error_label("TransientTransactionError")
    )
