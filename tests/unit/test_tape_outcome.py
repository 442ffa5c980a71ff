"""Following a playing: receipts and lag asked over HTTP, waiting without sleeping, figures compared, refusals told."""

from collections import Counter
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from deploy.tapes.addresses import find_addresses
from deploy.tapes.cli import figures_table, outcome_table, write_rejects
from deploy.tapes.errors import TapeError
from deploy.tapes.events import Playing
from deploy.tapes.figures import Figure, check, compare
from deploy.tapes.play import Outcome, Reject, paced
from deploy.tapes.receipts import STALLED_SECONDS, Intake, Receipts, total
from deploy.tapes.tape import Reference, load_tape
from tests.foreign.answering import answering

NOTHING = {"accepted": 0, "duplicate": 0, "early": 0, "rejected": 0}


def intake(url: str, *, seconds: int = 0) -> Intake:
    """Every look at the clock is `seconds` later than the one before."""
    ticks = count(step=seconds)
    return Intake(
        {"customer": url, "reporting": url}, ["customer-intake"], ["shop"], lambda: next(ticks), lambda _: None
    )


def receipts(**outcomes: int) -> dict[str, Any]:
    return {
        "types": {"order.placed": NOTHING | outcomes},
        "processed": 0,
        "rejects": [{"id": "7", "type": "", "reason": "no"}],
    }


def test_receipts_are_counted_from_before_the_playing() -> None:
    steps = [receipts(accepted=5, early=1), receipts(accepted=8, rejected=1)]
    with answering({"/v1/intake/receipts": steps}) as url, intake(url) as shop:
        before, after = shop.receipts(), shop.receipts()
    assert after.since(before) == {"order.placed": Counter(accepted=3, rejected=1, early=-1)}
    assert total(after.since(before)) == 3
    assert after.rejects == {("shop", "7"): "no"}


def test_it_waits_until_everything_has_an_outcome_also_through_a_restart() -> None:
    shown: list[int] = []
    steps = [receipts(accepted=1), 503, receipts(accepted=2, early=1), receipts(accepted=2, early=1, duplicate=1)]
    with answering({"/v1/intake/receipts": steps}) as url, intake(url, seconds=1) as shop:
        shop.wait_taken_in(Receipts(), 4, shown.append)
    assert shown == [1, 3, 4]


def test_it_waits_until_nothing_is_under_way_seen_twice() -> None:
    shown: list[int] = []
    lags = [{"relay": 3}, {"relay": 0}, {"relay": 1}, {"relay": None}, {"relay": 0}]
    # Two services share this server: each round asks twice.
    answers = {"/v1/health": [{"lag": lag} for lag in lags for _ in range(2)]}
    with answering(answers) as url, intake(url, seconds=1) as shop:
        shop.wait_counted(shown.append)
    assert shown == [6, 0, 2, 0, 0, 0]


def test_it_gives_up_when_nothing_moves_and_says_what_is_missing() -> None:
    stuck, silent = {"/v1/intake/receipts": [receipts(accepted=1)]}, dict[str, list[Any]]()
    missing = rf"nothing has moved for {STALLED_SECONDS} s; 1 of 4 events"
    with answering(stuck) as url, intake(url, seconds=50) as shop, pytest.raises(TapeError, match=missing):
        shop.wait_taken_in(Receipts(), 4, lambda _: None)
    with answering(silent) as url, intake(url, seconds=50) as shop, pytest.raises(TapeError, match="answers 404"):
        shop.wait_counted(lambda _: None)


def test_a_service_without_address_is_named() -> None:
    with pytest.raises(TapeError, match="the service survey is not known"):
        Intake({"customer": "x"}, ["survey-intake", "customer-intake"], ["shop"])


def test_addresses_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANYI_KAFKA", "127.0.0.1:9092")
    monkeypatch.setenv("MANYI_SERVICES", '{"customer": "http://127.0.0.1:8101/"}')
    assert find_addresses(None).services == {"customer": "http://127.0.0.1:8101"}
    for wrong in ("{", "[]", '{"customer": 8101}'):
        monkeypatch.setenv("MANYI_SERVICES", wrong)
        with pytest.raises(TapeError, match="MANYI_SERVICES"):
            find_addresses(None)


ANSWER = {
    "total": {
        "value": Decimal("26.53698707937"),
        "count": 1869,
        "interval": [Decimal("76.66"), None],
        "counts": {"1": 9},
    },
    "groups": [{"dims": {"contract": "One year", "x": "y"}, "value": Decimal("11.26951799")}],
}


@pytest.mark.parametrize(
    ("pick", "reference", "more", "equal"),
    [
        ("value", "26.5370", {}, True),
        ("value", "26.5371", {}, False),
        ("value", "27", {}, False),
        ("value", "26", {"within": Decimal("0.03")}, True),
        ("value", "26", {"within": Decimal("0.01")}, False),
        ("count", "1869", {}, True),
        ("count", "1869.0", {}, True),
        ("interval.0", "76.7", {}, True),
        ("interval.1", "0.0", {}, False),
        ("interval.2", "0.0", {}, False),
        ("counts.1", "9", {}, True),
        ("counts.2", "9", {}, False),
        ("value", "11.2695", {"group": {"contract": "One year"}}, True),
        ("value", "11.2695", {"group": {"contract": "Two year"}}, False),
    ],
)
def test_a_figure_is_equal_to_the_decimals_written(pick: str, reference: str, more: Any, equal: bool) -> None:
    figure = compare("t", "basis", Reference("f", pick, Decimal(reference), **more), ANSWER)
    assert figure.equal is equal
    assert (figure.problem is None) == (figure.manyi is not None)


def test_halves_are_rounded_up() -> None:
    answer = {"total": {"value": Decimal("0.25")}}
    assert compare("t", "b", Reference("f", "value", Decimal("0.3")), answer).equal


def test_check_asks_each_question_and_bears_one_that_fails() -> None:
    answers: dict[str, list[Any]] = {"/v1/metrics/revenue_churn": [500]}
    answers["/v1/metrics/logo_churn"] = [{"total": {"value": 26.53698707937, "count": 1869, "n": 7043}, "groups": []}]
    with answering(answers) as url:
        figures = check("telco", url)
    assert [figure.figure for figure in figures if figure.equal] == [
        "customers lost in the month",
        "customers at its start",
        "logo churn of the month",
    ]
    failed = [figure for figure in figures if figure.problem and "answers 500" in figure.problem]
    assert len(failed) == 3
    assert figures[2].json()["manyi"] == 26.53698707937
    assert "3 of" in shown(figures_table(figures))


def shown(page: object) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(page)
    return captured.get()


def test_the_tables_tell_what_became_of_everything(tmp_path: Path) -> None:
    outcome = Outcome("shop", "A shop", Counter({"order.placed": 1200}), {"order.placed": Counter(accepted=1199)}, 1)
    outcome.rejects = [Reject("lines.csv", 7, "order.placed", "A-7", 'a "reason"')]
    assert (outcome.under_way, outcome.rejected) == (1, 1)
    assert "1,199" in shown(outcome_table(outcome))
    assert "could not be read" in shown(outcome_table(outcome))
    write_rejects(tmp_path / "r.csv", outcome.rejects)
    assert (tmp_path / "r.csv").read_text() == 'file,row,type,id,reason\nlines.csv,7,order.placed,A-7,"a ""reason"""\n'
    different = Figure("t", "f", Decimal("40.4151"), "basis", Decimal("40.41514"), False)
    assert "40.41514" in shown(figures_table([different]))


def test_events_are_let_go_in_proportion_to_their_times() -> None:
    events = list(Playing(load_tape("known-answers")).events())
    now = [0.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    let_go = list(paced(events, 3600, lambda: now[0], sleep))
    assert [event.time for event in let_go] == sorted(event.time for event in events)
    hours = (let_go[-1].time - let_go[0].time).total_seconds() / 3600
    assert now[0] == pytest.approx(hours)
    assert all(seconds > 0 for seconds in slept)
