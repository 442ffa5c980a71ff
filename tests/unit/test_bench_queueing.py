"""The queueing model against networks whose rate is known, and the page that is reckoned by it."""

import pytest

from deploy.bench.queueing import IN_FLIGHT, Network, Station, fitted_waiting, worst_error
from deploy.bench.scaling_page import measured_bend, scaling

RESULT = {
    "command": "./manyi bench scale",
    "name_of_ours": "1 reporting",
    "ours": {"events_s": 10_000.0, "worker_cpu_s": 40.0, "mongod_cpu_s": 30.0, "kafka_cpu_s": 10.0},
    "peers": {"2 reporting": {"events_s": 16_000.0, "worker_cpu_s": 42.0, "mongod_cpu_s": 30.0, "kafka_cpu_s": 10.0}},
    "machine": {"processors": 2},
}


def test_nobody_waits_where_nothing_is_shared() -> None:
    assert Network(0.0, 0.01, {}).rate(7) == pytest.approx(7 * IN_FLIGHT / 0.01)


def test_a_process_does_no_more_than_its_own_processor_allows() -> None:
    assert Network(0.002, 0.0, {}).rate(3) == pytest.approx(3 / 0.002)


def test_a_shared_station_is_the_limit_however_many_ask() -> None:
    network = Network(0.001, 0.001, {"shards": Station(0.004, 8), "brokers": Station(0.001, 4)})
    rates = [network.rate(processes) for processes in (1, 2, 4, 8, 100, 1_000)]
    assert rates == sorted(rates)
    assert network.rate(1_000) == pytest.approx(8 / 0.004, rel=0.01)
    assert network.rate(1_000) < network.bounds["shards"] < network.bounds["brokers"]


def test_more_servers_never_make_it_slower() -> None:
    rates = [Network(0.0, 0.0, {"shards": Station(0.004, servers)}).rate(4) for servers in (1, 2, 4, 8)]
    assert rates == sorted(rates)


def test_the_waiting_is_found_again_in_rates_that_it_made() -> None:
    def network(waiting: float) -> Network:
        return Network(0.0, waiting, {"processors": Station(80e-6, 2)})

    measured = {processes: network(150e-6).rate(processes) for processes in (1, 2, 4)}
    waiting = fitted_waiting(measured, network)
    assert waiting == pytest.approx(150e-6, rel=0.01)
    assert worst_error(measured, network(waiting)) < 0.01


def test_the_page_tells_measured_and_reckoned_apart() -> None:
    told = scaling(RESULT)
    assert "| 2 | 16,000 | 1.6 |" in told
    assert "41 µs in its process and 30 µs in mongod and 10 µs in Kafka" in told
    assert "Measured, the curve does not bend up to 2 processes. By the model it bends at " in told
    assert told.index("## Measured") < told.index("## Reckoned") < told.index("| 100 |")


def test_the_bend_is_where_twice_as_many_processes_count_hardly_more() -> None:
    told = measured_bend({4: 17_000.0, 1: 10_000.0, 2: 16_000.0})
    assert told == "Measured, the curve bends at 2: 4 processes count × 1.06 of it."


def test_without_a_result_the_page_says_so() -> None:
    assert "Nothing is measured yet" in scaling(None)
