"""`manyi policy`: what it prints and what it refuses."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli.__main__ import door
from deploy.local.trouble import CannotContinue
from shared.policy.shelf import PACKS

ON = ("--on", "2026-11-23")


def said(*words: str) -> str:
    answer = CliRunner().invoke(door("policy"), ["policy", *words], catch_exceptions=False)
    return answer.output


def test_check_shows_what_is_in_force_and_what_is_unset() -> None:
    text = said("check", *ON)
    assert "s0-enterprise/S0/1@" in text
    assert "gift.limit.specialist" in text
    assert "case.respond.within[urgent]" in text
    assert "low-score/1" in text


def test_check_says_which_document_is_due_for_review() -> None:
    assert "s0-enterprise/S0 was to be reviewed by 2026-12-31" in said("check", "--on", "2027-01-01")


@pytest.mark.policy("S4-01")
def test_check_says_what_a_controlled_document_leaves_blank() -> None:
    text = said("check", *ON)
    assert "s4-engineering/S4 does not state its number (document.required, S4-01)" in " ".join(text.split())
    assert "drafter" not in text, "all of them state who drafts"


def test_explain_says_value_unit_clause_version_in_both_languages() -> None:
    text = said("explain", "purchase.within", *ON)
    for part in ("s0-enterprise/S0/1@", "S0-31", "个工作日", "working days", "三级签字总时长不超过三个工作日"):
        assert part in text
    assert "个工作日" not in said("explain", "purchase.within", "--lang", "en", *ON)


def test_explain_says_what_happens_while_a_limit_is_unset() -> None:
    text = said("explain", "gift.limit.manager", *ON)
    assert "refused, never approved by default: gift.limit.manager is not set" in text
    assert "未设定时一律拒绝，绝不自动批准" in text


def test_explain_as_data_names_every_pack_that_speaks() -> None:
    answer: list[dict[str, Any]] = json.loads(said("explain", "report.approver", "--json", *ON))
    assert {one["version"].split("/")[0]: one["value"]["en"] for one in answer} == {
        "s0-enterprise": "manager",
        "s4-engineering": "marketing",
    }


def test_explain_names_the_keys_near_by() -> None:
    with pytest.raises(CannotContinue, match=r"near it: purchase\.chain, purchase\.emergency"):
        said("explain", "purchase.limit", *ON)


def test_diff_of_two_packs_and_of_one_with_itself() -> None:
    text = said("diff", "s0-enterprise", "s4-engineering", *ON)
    assert "report.approver" in text
    assert "changed" in text
    assert "No difference." in said("diff", "s0-enterprise", "s0-enterprise/S0/1", *ON)
    with pytest.raises(CannotContinue, match="There is no pack or version nobody"):
        said("diff", "nobody", "s0-enterprise", *ON)


def test_schema_is_what_is_kept_beside_the_packs() -> None:
    assert json.loads(said("schema")) == json.loads((PACKS / "pack.schema.json").read_text(encoding="utf-8"))


def test_what_is_wrong_in_a_directory_is_said_for_every_file(tmp_path: Path) -> None:
    with pytest.raises(CannotContinue, match="no pack in"):
        said("check", "--packs", str(tmp_path))
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text("pack: 1\n", encoding="utf-8")
    with pytest.raises(CannotContinue, match=r"a\.yaml is unsound.*b\.yaml is unsound"):
        said("check", "--packs", str(tmp_path))


def test_check_reads_the_policy_of_bad_answers_too(tmp_path: Path) -> None:
    shutil.copy(PACKS / "s4-engineering.yaml", tmp_path)
    assert "low-score: none" in said("check", "--packs", str(tmp_path))
    (tmp_path / "low-score.yaml").write_text("policy: low-score\nversions: []\n", encoding="utf-8")
    with pytest.raises(CannotContinue, match=r"low-score\.yaml is unsound"):
        said("check", "--packs", str(tmp_path))


def test_check_finds_what_no_file_shows_alone(tmp_path: Path) -> None:
    text = (PACKS / "s0-enterprise.yaml").read_text(encoding="utf-8")
    text = text.replace("at_most: gift.limit.manager", "at_most: gift.limit.lost")
    (tmp_path / "s0-enterprise.yaml").write_text(text, encoding="utf-8")
    shutil.copy(PACKS / "low-score.yaml", tmp_path)
    with pytest.raises(CannotContinue, match=r"gift\.chain .*needs gift\.limit\.lost as a number"):
        said("check", "--packs", str(tmp_path))
