"""What became of the events that were sent: asks the services over HTTP and waits until all have gone through."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from deploy.tapes.asking import Asking
from deploy.tapes.errors import TapeError

OUTCOMES = ("accepted", "duplicate", "early", "rejected")
STALLED_SECONDS = 120
_ASK_AGAIN_SECONDS = 0.3
_MOST_LISTED = 1000

Counts = dict[str, Counter[str]]
"""Event type → outcome → how many."""


@dataclass
class Receipts:
    """Totals since the installation began, for one or more sources."""

    types: Counts = field(default_factory=dict)
    rejects: dict[tuple[str, str], str] = field(default_factory=dict)
    """(source, CloudEvents id) → reason, of the latest 1,000 a service lists."""

    def since(self, before: "Receipts") -> Counts:
        """What came in between; types that saw nothing are left out.

        `early` may be below 0: what was kept back before found its place since then, and counts as accepted now.
        """
        found = {
            name: Counter({outcome: more for outcome in OUTCOMES if (more := counts[outcome] - then[outcome])})
            for name, counts in self.types.items()
            for then in [before.types.get(name, Counter())]
        }
        return {name: counts for name, counts in found.items() if counts}


def total(counts: Counts) -> int:
    return sum(sum(outcomes.values()) for outcomes in counts.values())


class Intake:
    """The intake side of the services that a tape speaks to, for the tape's sources.

    Services that do not answer for a while (a restart) are asked again until nothing has moved for STALLED_SECONDS.
    """

    def __init__(
        self,
        services: Mapping[str, str],
        topics: Iterable[str],
        sources: Iterable[str],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        *,
        processes: Mapping[str, str] | None = None,
    ) -> None:
        names = sorted({topic.removesuffix("-intake") for topic in topics})
        if missing := [name for name in names if name not in services]:
            raise TapeError(f"the address of the service {', '.join(missing)} is not known")
        self._processes = processes or services
        self._speakers = {name: services[name] for name in names}
        self._sources = tuple(sources)
        self._clock = clock
        self._sleep = sleep
        self._asking = Asking()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._asking.close()

    def receipts(self) -> Receipts:
        """What the services have counted so far. Raises TapeError when one does not answer."""
        found = Receipts()
        for url in self._speakers.values():
            for source in self._sources:
                answer = self._asking.get(f"{url}/v1/intake/receipts", {"source": source})
                for name, counts in answer["types"].items():
                    tally = found.types.setdefault(name, Counter())
                    tally.update({outcome: counts.get(outcome, 0) for outcome in OUTCOMES})
                for reject in answer.get("rejects", ()):
                    found.rejects[source, reject["id"]] = reject["reason"]
        return found

    def receipts_patiently(self) -> Receipts:
        """As `receipts`, but a service that is being restarted is waited for."""
        found: list[Receipts] = []

        def answered() -> tuple[bool, Any, str]:
            found.append(self.receipts())
            return True, None, ""

        self._until(answered)
        return found[-1]

    def wait_taken_in(self, before: Receipts, sent: int, on_progress: Callable[[int], None]) -> None:
        """Wait until every one of `sent` events has an outcome. Raises TapeError when nothing moves any more."""

        def taken_in() -> tuple[bool, Any, str]:
            done = total(self.receipts().since(before))
            on_progress(min(done, sent))
            return done >= sent, done, f"{done} of {sent} events have been taken in"

        self._until(taken_in)

    def wait_counted(self, on_progress: Callable[[int], None]) -> None:
        """Wait until nothing is under way from intake to reporting: every lag is 0, seen twice in a row.

        Once is not enough: an event may be between two services, already gone from one and not yet seen by the other.
        `on_progress` hears how many records are still under way.
        """
        calm = 0

        def counted() -> tuple[bool, Any, str]:
            nonlocal calm
            lags = {name: self._asking.get(f"{url}/v1/health")["lag"] for name, url in self._processes.items()}
            known = [lag for groups in lags.values() for lag in groups.values()]
            behind = sum(lag for lag in known if lag is not None)
            calm = calm + 1 if behind == 0 and None not in known else 0
            on_progress(behind)
            told = ", ".join(
                f"{name} {group} {lag}" for name, groups in lags.items() for group, lag in groups.items() if lag
            )
            return calm >= 2, (behind, calm), f"still behind: {told or 'nothing, but a lag is not known'}"

        self._until(counted)

    def _until(self, look: Callable[[], tuple[bool, Any, str]]) -> None:
        moved_at, last, told = self._clock(), object(), ""
        while True:
            try:
                done, seen, told = look()
            except TapeError as silence:
                done, seen, told = False, last, str(silence)
            if done:
                return
            if seen != last:
                moved_at, last = self._clock(), seen
            elif self._clock() - moved_at > STALLED_SECONDS:
                raise TapeError(f"nothing has moved for {STALLED_SECONDS} s; {told}. See `manyi status`.")
            self._sleep(_ASK_AGAIN_SECONDS)
