"""What the commands say, without anything running."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from deploy.cli import dead_letters, logs, metrics, status
from deploy.cli.__main__ import COMMANDS, door
from deploy.cli.demo import in_background
from deploy.cli.live_numbers import Watched, headlines, numbers_table
from deploy.cli.up import displaced, scale_of
from deploy.local.state import ProcessState, SystemState
from deploy.local.trouble import CannotContinue

STATE = SystemState(
    pid=7,
    data="/data",
    kafka="127.0.0.1:9",
    mongo="mongodb://127.0.0.1:10",
    services={"customer": "http://127.0.0.1:8101", "survey": "http://127.0.0.1:8102"},
    instances={
        "customer": {"customer": "http://127.0.0.1:8101", "customer-2": "http://127.0.0.1:50000"},
        "survey": {"survey": "http://127.0.0.1:8102"},
    },
    processes={
        name: ProcessState(pid, ready, 1, f"/data/logs/{name}.log")
        for name, pid, ready in (
            ("kafka", 1, True),
            ("mongo", 2, True),
            ("customer", 3, True),
            ("customer-2", 4, True),
            ("survey", None, False),
        )
    },
)
CUSTOMER = {"ready": True, "lag": {"customer-intake": 3, "relay": 0}, "dead_letters": 1, "parked": 2, "early": 4}
SECOND = {"ready": True, "lag": {"customer-intake": 8, "relay": 0}, "dead_letters": 1, "parked": 2, "early": 4}
FEEDBACK_LIKE = {"ready": True, "lag": {"survey-intake": 0, "relay": 5}, "dead_letters": 10, "parked": 20, "early": 40}

ANSWER: dict[str, Any] = {
    "metric": "csat",
    "unit": "percent",
    "definition": "csat/1",
    "period": {"from": "2018-01-01", "to": None},
    "as_of": "2018-12-31",
    "provisional": True,
    "source": "cells",
    "total": {"value": 41.715235, "n": 7043, "interval": [40.57, 42.87]},
    "groups": [{"dims": {"region": "east"}, "value": 50, "n": 2, "interval": None}],
}


def printed(page: Any) -> str:
    screen = io.StringIO()
    Console(file=screen, width=140).print(page)
    return screen.getvalue()


def test_help_groups_the_commands_and_ends_with_examples() -> None:
    page = CliRunner().invoke(door(), ["--help"]).stdout
    for panel in ("Try it", "Run it", "Feed it and ask it", "Work on it"):
        assert panel in page
    assert page.index("Try it") < page.index("Run it") < page.index("Examples")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_that_fits_a_line(command: str) -> None:
    assert CliRunner().invoke(door(command), [command, "--help"]).exit_code == 0
    page = CliRunner().invoke(door(), ["--help"]).stdout
    (line,) = [line for line in page.splitlines() if line.startswith(f"│ {command} ")]
    assert line.rstrip(" │").endswith(".")


def test_status_sums_what_services_set_aside_and_merges_their_lag() -> None:
    report = status.summary(STATE, {"customer": CUSTOMER, "customer-2": SECOND, "survey": FEEDBACK_LIKE})
    assert report["services"]["survey"] == {
        "url": "http://127.0.0.1:8102",
        "ready": True,
        "instances": {"survey": {"url": "http://127.0.0.1:8102", "ready": True}},
    }
    assert report["lag"] == {"customer-intake": 11, "customer-relay": 0, "survey-intake": 0, "survey-relay": 5}
    assert (report["dead_letters"], report["parked"], report["early"]) == (11, 22, 44)


def test_a_silent_service_is_not_ready() -> None:
    report = status.summary(STATE, {"customer": CUSTOMER, "customer-2": None, "survey": None})
    assert report["services"]["survey"]["ready"] is False
    customer = report["services"]["customer"]
    assert customer["ready"] is False
    assert [one["ready"] for one in customer["instances"].values()] == [True, False]
    page = printed(status.table(report, STATE))
    assert "not ready" in page
    assert "customer-intake 3" in page
    assert "http://127.0.0.1:50000" in page
    assert "1 dead letters, 2 parked, 4 early" in page


def test_how_many_processes_of_which_service() -> None:
    assert scale_of([]) == {}
    assert scale_of(["reporting=3", "customer=2"]) == {"reporting": 3, "customer": 2}


@pytest.mark.parametrize("wish", ["reporting", "reporting=", "reporting=0", "reporting=-1", "mango=2", "reporting=65"])
def test_a_scale_that_is_none_is_refused(wish: str) -> None:
    with pytest.raises(CannotContinue, match=f"--scale {wish} is not understood"):
        scale_of([wish])


def test_a_scale_is_said_once() -> None:
    with pytest.raises(CannotContinue, match="names reporting twice"):
        scale_of(["reporting=3", "reporting=2"])


def test_status_names_some_of_what_waits() -> None:
    gap = {"state": "parked", "type": "standard-1", "waits_for": "cases/k before revision 3", "since": "2026-03-01"}
    answers = {"customer": {**CUSTOMER, "waiting": [gap] * 12}, "customer-2": SECOND, "survey": None}
    report = status.summary(STATE, answers)
    assert report["waiting"][0] == {"service": "customer", **gap}
    lines = status.waiting(report["waiting"])
    assert lines[0] == "  customer: parked standard-1 waits for cases/k before revision 3 since 2026-03-01"
    assert (len(lines), lines[-1]) == (11, "  …")


@pytest.mark.parametrize("name", ["intake/0/1", "customer:", ":intake/0/1"])
def test_a_letter_is_named_with_its_service(name: str, tmp_path: Path) -> None:
    with pytest.raises(CannotContinue):
        dead_letters.found(name, tmp_path)


def test_slices_become_the_apis_parameters() -> None:
    assert metrics.slices(["source=olist", "name=a=b"]) == {"where.source": "olist", "where.name": "a=b"}


@pytest.mark.parametrize("nonsense", ["source", "=olist", ""])
def test_a_slice_without_its_two_sides_is_refused(nonsense: str) -> None:
    with pytest.raises(CannotContinue, match="DIMENSION=VALUE"):
        metrics.slices([nonsense])


def test_an_answer_reads_well() -> None:
    page = printed(metrics.table(ANSWER))
    for said in ("csat · 2018-01-01 to now · percent", "41.715235", "7,043", "40.57 … 42.87", "east", "(provisional)"):
        assert said in page


def test_the_list_of_metrics_reads_well() -> None:
    entry = {
        "metric": "nps",
        "names": {"en": "net promoter score", "zh": "净推荐值"},
        "unit": "points",
        "definitions": {"standard@1": "100 (promoters - detractors) / n"},
    }
    page = printed(metrics.catalogue({"metrics": [entry], "dimensions": {"region": {}, "source": {}}}))
    for said in ("nps", "净推荐值", "standard@1: 100 (promoters", "--by and --where: region, source"):
        assert said in page


def test_logs_are_named(tmp_path: Path) -> None:
    (tmp_path / "kafka.log").touch()
    (tmp_path / "mongo.log").touch()
    assert [file.stem for file in logs.log_files(tmp_path, None)] == ["kafka", "mongo"]
    assert [file.stem for file in logs.log_files(tmp_path, "mongo")] == ["mongo"]
    with pytest.raises(CannotContinue, match="choose kafka, mongo"):
        logs.log_files(tmp_path, "mango")


def test_no_reporting_service_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CannotContinue, match="does not answer: see `manyi status`"):
        metrics.ask("/v1/metrics/csat", {}, "http://127.0.0.1:9")


@pytest.mark.parametrize("name", ["customers", ""])
def test_an_unknown_service_is_not_served(name: str) -> None:
    answer = CliRunner().invoke(door(), ["serve", name])
    assert isinstance(answer.exception, CannotContinue)


def test_who_had_to_leave_the_usual_port_is_told_why() -> None:
    assert displaced({"survey": "http://127.0.0.1:8102"}) == []
    (note,) = displaced({"survey": "http://127.0.0.1:55555"})
    assert "Port 8102 is in use by" in note
    assert "survey listens on 55555" in note


async def test_work_in_the_background_gives_its_result_or_its_failure() -> None:
    assert await in_background(lambda: 7) == 7

    def fail() -> None:
        raise CannotContinue("no tape")

    with pytest.raises(CannotContinue, match="no tape"):
        await in_background(fail)


def test_live_numbers_are_asked_as_the_tapes_references_ask() -> None:
    watched = headlines(["telco"])
    assert [number.metric for number in watched] == ["logo_churn", "revenue_churn"]
    assert watched[0].params["where.source"] == "telco"


def test_live_numbers_show_a_dash_while_there_are_none() -> None:
    watched = [Watched("incident-log", "sla_kept", {}), Watched("online-retail", "purchases", {})]
    page = printed(numbers_table(watched, [{"value": 40.4151, "n": 9202}, {}]))
    assert [line.split() for line in page.splitlines()[1:]] == [
        ["incident-log", "sla_kept", "40.4151", "9,202"],
        ["online-retail", "purchases", "–", "–"],
    ]


def test_a_rebuild_is_of_the_system_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MANYI_KAFKA", "MANYI_MONGO", "MANYI_KEYS_FILE"):
        monkeypatch.setenv(name, "elsewhere")
    answer = CliRunner().invoke(door("rebuild"), ["rebuild", "reporting", "--data", str(tmp_path)])
    assert "Nothing is running here" in str(answer.exception)
