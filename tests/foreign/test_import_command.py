"""`manyi import` from its command line to Kafka and back: what it prints, writes and ends with."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from deploy.local.trouble import CannotContinue
from deploy.tapes.cli import import_tape
from tests.foreign.answering import answering
from tests.foreign.test_writers import read
from tests.support.stack import Namespace, RealStack

app = typer.Typer()
app.command()(import_tape)
ROWS = " 00004 0001 19970101  2   29.33\n 00004 0001 19970118  2   29.3x\n 00021 0002 19970704  1    0.00\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "CDNOW_sample.txt").write_text(ROWS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def receipts(accepted: int, rejected: int) -> dict[str, Any]:
    counts = {"accepted": accepted, "duplicate": 0, "early": 0, "rejected": rejected}
    rejects = [{"id": "row-3", "type": "order.placed", "reason": "too long ago"}] * rejected
    return {"types": {"order.placed": counts}, "processed": accepted + rejected, "rejects": rejects}


@pytest.mark.stack
async def test_it_ends_with_counts_figures_and_a_file_of_refused_rows(
    stack: RealStack, namespace: Namespace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {
        "/v1/intake/receipts": [receipts(4, 0), receipts(5, 0), receipts(5, 1)],
        "/v1/health": [{"lag": {"relay": 1}}, {"lag": {"relay": 0}}],
        "/v1/metrics/purchases": [{"total": {"value": 6919, "amounts": {"USD": 1}}, "groups": []}],
    }
    with answering(answers) as url:
        monkeypatch.setenv("MANYI_KAFKA", stack.kafka)
        monkeypatch.setenv("MANYI_SERVICES", json.dumps({"customer": url, "reporting": url}))
        monkeypatch.setenv("MANYI_TOPIC_PREFIX", namespace.topic_prefix)
        done = CliRunner().invoke(app, ["cdnow", "--from", str(folder), "--check"])
    records = read(stack.kafka, f"{namespace.topic_prefix}customer-intake", 2)
    assert {json.loads(record.value())["id"] for record in records} == {"row-1", "row-3"}
    assert (folder / "cdnow-rejects.csv").read_text() == (
        "file,row,type,id,reason\n"
        "CDNOW_sample.txt,2,order.placed,,'29.3x' is not a number of at most 50 digits\n"
        "CDNOW_sample.txt,3,order.placed,row-3,too long ago\n"
    )
    assert done.exit_code == 1
    assert "1 of 28 equal" in done.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["no-such-tape"], "there is no tape 'no-such-tape'"),
        (["cdnow", "--speed", "0"], "above 0"),
        (["olist"], "Name the folder with --from DIR"),
        (["telco", "--speed", "2", "--shuffle", "1"], "either shuffled or played at a speed"),
    ],
)
def test_a_refusal_is_one_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    monkeypatch.setenv("MANYI_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("MANYI_SERVICES", "{}")
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, CannotContinue)
    assert sentence in str(done.exception)
