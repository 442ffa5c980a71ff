"""Our services on the ground, started and supervised as `manyi up` does it, and what one sees of them from outside."""

import asyncio
import http.client
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from pymongo.read_concern import ReadConcern

from deploy.bench.ground import Ground
from deploy.local.supervisor import Supervisor
from deploy.local.system import READY_WITHIN, addresses_of, service_program
from deploy.local.trouble import CannotContinue

LOOK_AGAIN_S = 0.05
STALLED_S = 120.0
STANDING = "standard-1"
"""What the reporting service's collections of the one definition in force begin with."""


@dataclass(frozen=True)
class Running:
    """Services at work on databases of their own."""

    place: Ground
    prefix: str
    """What its databases begin with."""
    instances: Mapping[str, Mapping[str, str]]
    """Service → its processes by name → where each listens."""
    supervisor: Supervisor

    def database(self, service: str) -> Any:
        """What a service keeps."""
        return self.place.client[f"{self.prefix}{service}"]

    def address(self, service: str) -> str:
        """Where its first process listens."""
        return self.instances[service][service]

    def pids(self, service: str) -> list[int]:
        """The processes of a service that run just now."""
        found = (self.supervisor.pid(name) for name in self.instances[service])
        return [pid for pid in found if pid is not None]

    def counted(self, topic_part: str = "") -> int:
        """Records of the topics with this in their name that reporting has counted for good."""
        kept = self.database("reporting").get_collection(f"{STANDING}.cursors", read_concern=ReadConcern("majority"))
        return sum(cursor["next"] for cursor in kept.find({}, {"next": 1}) if topic_part in cursor["_id"])

    async def until_counted(self, total: int, tell: Callable[[int], None] = lambda _: None) -> float:
        """Wait until so many records are counted and return when. Raises CannotContinue when nothing moves."""
        last, moved = -1, time.monotonic()
        while (done := self.counted()) < total:
            now = time.monotonic()
            if done != last:
                last, moved = done, now
                tell(done)
            elif now - moved > STALLED_S:
                logs = self.place.data_dir / "logs"
                raise CannotContinue(
                    f"{done} of {total} records are counted, and nothing moves; the logs are in {logs}."
                )
            await asyncio.sleep(LOOK_AGAIN_S)
        return time.monotonic()


@asynccontextmanager
async def running(place: Ground, name: str, scale: Mapping[str, int]) -> AsyncIterator[Running]:
    """So many processes of each service, ready, on databases of this name; stopped at the end.

    Raises CannotContinue when one does not start.
    """
    instances, prefix = addresses_of(tuple(scale), scale, usual=()), f"{place.prefix}{name}-"
    environment = {**place.environment, "MANYI_DATABASE_PREFIX": prefix, "MANYI_ZONE": "UTC"}
    logs = place.data_dir / "logs"
    supervisor = Supervisor(
        [
            service_program(service, process, url, environment, logs, ())
            for service, processes in instances.items()
            for process, url in processes.items()
        ]
    )
    await supervisor.start(READY_WITHIN)
    try:
        yield Running(place, prefix, instances, supervisor)
    finally:
        await supervisor.stop()


class Asking:
    """One connection to a service, asking one question after another (blocking)."""

    def __init__(self, url: str, within_s: float = 300) -> None:
        place = urlsplit(url)
        self._connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=within_s)

    def get(self, path: str, params: Mapping[str, str]) -> tuple[float, dict[str, Any]]:
        """Seconds until the whole answer was there, and the answer. Raises CannotContinue when it is a refusal."""
        return self._asked("GET", f"{path}?{urlencode(params)}", None, {})

    def post(self, path: str, body: bytes | Mapping[str, Any], headers: Mapping[str, str]) -> tuple[float, Any]:
        """The same for a command: bytes as they are, anything else as JSON."""
        if isinstance(body, bytes):
            return self._asked("POST", path, body, headers)
        return self._asked("POST", path, json.dumps(body).encode(), {"content-type": "application/json", **headers})

    def _asked(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[float, Any]:
        began = time.perf_counter()
        self._connection.request(method, target, body, dict(headers))
        answer = self._connection.getresponse()
        told = answer.read()
        taken = time.perf_counter() - began
        if answer.status >= 300:
            raise CannotContinue(f"{target} was answered with {answer.status}: {told[:300]!r}.")
        return taken, json.loads(told)

    def close(self) -> None:
        self._connection.close()


def at_share(seconds: list[float], share: float) -> float:
    """The value in milliseconds that this share of them does not exceed (nearest rank)."""
    ordered = sorted(seconds)
    return round(1000 * ordered[min(len(ordered) - 1, int(len(ordered) * share))], 3)
