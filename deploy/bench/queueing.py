"""A closed queueing network of reporting processes: how many events a second so many of them count.

Approximate mean value analysis (Schweitzer 1979; Bard 1979) for processes that are all alike, stations with several
servers split as by Seidmann et al. 1987 into a faster queue and a fixed delay. Demands are seconds per event.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

IN_FLIGHT = 2
"""Batches of one process under way at once: one is folded while the former is committed."""
SETTLED = 1e-9
MOST_ROUNDS = 10_000


@dataclass(frozen=True)
class Station:
    """What all processes share: the work that one event makes there, and how many processors do it."""

    demand: float
    servers: int


@dataclass(frozen=True)
class Network:
    """`own`: work in the process itself, on a processor of its own; `waiting`: time that occupies nobody."""

    own: float
    waiting: float
    shared: Mapping[str, Station]

    def rate(self, processes: int) -> float:
        """Events a second that so many processes count."""
        jobs = processes * IN_FLIGHT
        queues = {name: station.demand / station.servers for name, station in self.shared.items()}
        delay = self.waiting + sum(self.shared[name].demand - queue for name, queue in queues.items())
        here, there = 0.0, dict.fromkeys(queues, 0.0)
        rate = 0.0
        for _ in range(MOST_ROUNDS):
            own = self.own * (1 + here * (IN_FLIGHT - 1) / IN_FLIGHT)
            stays = {name: queue * (1 + there[name] * (jobs - 1) / jobs) for name, queue in queues.items()}
            former, rate = rate, jobs / (delay + own + sum(stays.values()))
            here, there = rate / processes * own, {name: rate * stay for name, stay in stays.items()}
            if abs(rate - former) < SETTLED * rate:
                break
        return rate

    @property
    def bounds(self) -> dict[str, float]:
        """Events a second that each shared station can do at most, however many processes ask."""
        return {name: station.servers / station.demand for name, station in self.shared.items()}

    @property
    def bend(self) -> float:
        """How many processes reach the narrowest shared station, were there no queues before it."""
        return min(self.bounds.values()) / self.rate(1)


def fitted_waiting(measured: Mapping[int, float], network: Callable[[float], Network]) -> float:
    """The waiting that makes the network's rates most like the measured (processes → events/s), in relative squares."""

    def error(waiting: float) -> float:
        fitted = network(waiting)
        return sum((fitted.rate(processes) / rate - 1) ** 2 for processes, rate in measured.items())

    low, high = 0.0, IN_FLIGHT / min(rate / processes for processes, rate in measured.items())
    for _ in range(100):
        third = (high - low) / 3
        low, high = (low, high - third) if error(low + third) <= error(high - third) else (low + third, high)
    return (low + high) / 2


def worst_error(measured: Mapping[int, float], network: Network) -> float:
    """Largest relative difference between the network's rates and the measured."""
    return max(abs(network.rate(processes) / rate - 1) for processes, rate in measured.items())
