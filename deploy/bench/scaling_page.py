"""docs/scaling.md, written from the saved result of bench `scale` alone: no figure in it is typed by hand."""

from collections.abc import Mapping
from itertools import pairwise
from statistics import median
from typing import Any

from deploy.bench.queueing import IN_FLIGHT, Network, Station, fitted_waiting, worst_error
from deploy.bench.report import shown

PROCESSES = (1, 2, 4, 8, 16, 32, 64, 100)
SHARDS = (1, 2, 4, 8, 16)
CORES = 4
"""Of each shard's primary and of each Kafka broker in the reckoning."""
BROKERS = 3
BENT = 1.25
"""Where twice as many processes count less than this much more, the measured curve has bent."""
PLACES = {"worker": "its process", "mongod": "mongod", "kafka": "Kafka"}
HEAD = f"""\
# Scaling

Written by `./manyi bench scale --save` from [`benchmarks/scale.json`](benchmarks/scale.json). It says what was measured
on one machine, and what a queueing model fitted to it expects of up to 100 reporting processes and a sharded cluster.
The second is a reckoning, not a measurement.

## The model

A closed network of queues ([`queueing.py`](../deploy/bench/queueing.py)): each process has {IN_FLIGHT} batches under
way, one being folded while the former is committed. An event costs so much processor time in its process, in mongod and
in Kafka, and some waiting that occupies nobody (journal, network, turns). The three costs are measured; the waiting
alone is fitted.
Approximate mean value analysis then gives the rate for any number of processes.

Assumptions:

1. On one machine all work shares its processors; a process of ours never uses more than one.
2. In the cluster each process has a processor of its own, each shard's primary and each broker {CORES}, and there are
   {BROKERS} brokers. Followers repeat the work on machines of their own and slow nobody.
3. Costs per event are those measured here, whatever the number of processes. Smaller batches cost more: a cluster that
   is not loaded to its limit has smaller ones.
4. Facts, changes and cells are sharded by hashed id, so they spread evenly; cursors are few and small. A transaction
   over several shards takes a commit in two phases: counted as the same waiting once more, and none of it as work.
5. Network round trips are as short as on one machine. Between zones of a cloud, add theirs to the waiting.
6. There are at least as many partitions as processes: 100 processes take a topic generation of 100 partitions or more,
   and partitions are fixed at the first start.
7. Events spread evenly over partitions; a single busy customer stays in one.
"""
NOTHING = """\
Nothing is measured yet on a machine that nobody else uses: run `./manyi bench scale --save`.
"""


def scaling(result: dict[str, Any] | None) -> str:
    """The page; without a result only the model and what it assumes."""
    if result is None:
        return f"{HEAD}\n{NOTHING}"
    lines = {result["name_of_ours"]: result["ours"], **result["peers"]}
    measured = {int(name.split()[0]): figures["events_s"] for name, figures in lines.items()}
    costs = {
        part: median(line[f"{part}_cpu_s"] for line in lines.values()) / 1e6 for part in ("worker", "mongod", "kafka")
    }
    processors = result["machine"]["processors"]

    def one_machine(waiting: float) -> Network:
        return Network(0.0, waiting, {"processors": Station(sum(costs.values()), processors)})

    waiting = fitted_waiting(measured, one_machine)
    fitted = one_machine(waiting)
    parts = [
        HEAD,
        "## Measured, and fitted to it\n",
        f"`{result['command']}`, {processors} processors.\n",
        "| processes | measured, events/s | × one process | model, events/s |",
        "|---:|---:|---:|---:|",
        *(
            f"| {count} | {shown(rate)} | {shown(rate / measured[min(measured)])} | {shown(fitted.rate(count))} |"
            for count, rate in measured.items()
        ),
        "",
        f"An event costs {' and '.join(f'{_us(cost)} in {PLACES[part]}' for part, cost in costs.items())}.",
        f"It waits {_us(waiting)} (fitted; largest difference {100 * worst_error(measured, fitted):.0f} %).",
        f"The processors are all busy at {shown(min(fitted.bounds.values()))} events/s.",
        f"{measured_bend(measured)} By the model it bends at {fitted.bend:.1f}.",
        "",
        "## Reckoned for a cluster\n",
        "Events a second, by reporting processes and shards; in brackets what is nearest to its limit.\n",
        f"| processes | {' | '.join(f'{count} shards' if count > 1 else '1 shard' for count in SHARDS)} |",
        f"|---:|{'---:|' * len(SHARDS)}",
        *(_row(count, [cluster(costs, waiting, shards) for shards in SHARDS]) for count in PROCESSES),
        "",
        f"The curve bends where the primaries are all busy: {_bends(costs, waiting)}.",
    ]
    return "\n".join(parts) + "\n"


def measured_bend(measured: Mapping[int, float]) -> str:
    """Where the measured rates (processes → events/s) no longer grow with the processes, in a sentence."""
    for fewer, more in pairwise(sorted(measured)):
        gained = measured[more] / measured[fewer]
        if gained < BENT:
            return f"Measured, the curve bends at {fewer}: {more} processes count × {shown(gained)} of it."
    return f"Measured, the curve does not bend up to {max(measured)} processes."


def cluster(costs: dict[str, float], waiting: float, shards: int) -> Network:
    """As assumed above; more than one shard waits once more, for the second phase of the commit."""
    return Network(
        costs["worker"],
        waiting * (2 if shards > 1 else 1),
        {
            "shards": Station(costs["mongod"], shards * CORES),
            "brokers": Station(costs["kafka"], BROKERS * CORES),
        },
    )


def _row(processes: int, networks: list[Network]) -> str:
    cells = []
    for network in networks:
        rate = network.rate(processes)
        used = {"process": rate / processes * network.own}
        used |= {name: rate / bound for name, bound in network.bounds.items()}
        narrowest = max(used, key=lambda name: used[name])
        cells.append(f"{shown(rate)} ({narrowest} {100 * used[narrowest]:.0f} %)")
    return f"| {processes} | {' | '.join(cells)} |"


def _bends(costs: dict[str, float], waiting: float) -> str:
    return ", ".join(
        f"{cluster(costs, waiting, shards).bend:.0f} processes with {shards} shard{'s' if shards > 1 else ''}"
        for shards in SHARDS
    )


def _us(seconds: float) -> str:
    return f"{1e6 * seconds:.0f} µs"
