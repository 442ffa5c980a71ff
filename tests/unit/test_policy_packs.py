"""The packs as they stand, what they may not say, and what asking them answers."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from shared.policy.declared import Span
from shared.policy.differences import NoSuchVersion, differences, named
from shared.policy.explaining import explain
from shared.policy.pack import Pack, json_schema
from shared.policy.policies import LimitUnset, Policies, UnitMistaken, due_for_review
from shared.policy.shelf import PACKS, PackUnsound, pack_files, read_pack, read_policies
from shared.policy.soundness import faults
from tests.support import limits
from tests.support.limits import NAMES, version

ON = date(2026, 11, 23)
POLICIES = read_policies(NAMES)


def setting(key: str, value: Any, **more: Any) -> dict[str, Any]:
    return {"key": key, "unit": "minor", "value": value, "clauses": ["S0-40"], "zh": "限额", "en": "limit", **more}


def pack(*versions: dict[str, Any], name: str = "ours", **more: Any) -> Pack:
    return Pack.model_validate(limits.pack(*versions, name=name, **more))


LIMITS = (setting("gift.limit.specialist", 20_000), setting("gift.limit.manager", 100_000))


def layered(*versions: dict[str, Any]) -> Policies:
    """Our own pack before the three."""
    return Policies([pack(*versions), *POLICIES.packs])


@pytest.mark.policy("S4-01")
@pytest.mark.parametrize("path", pack_files(), ids=lambda path: path.stem)
def test_each_pack_is_valid_against_its_schema_and_names_roles_for_every_duty(path: Path) -> None:
    plain = json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8")), default=str))
    jsonschema.Draft202012Validator(json_schema()).validate(plain)
    for document in read_pack(path).documents:
        roles = (document.drafter, document.reviewer, document.approver)
        assert len(set(roles)) == 3
        assert document.released < document.review_on


def test_the_schema_kept_beside_the_packs_is_current() -> None:
    kept = json.loads((PACKS / "pack.schema.json").read_text(encoding="utf-8"))
    assert kept == json_schema(), "write it again: manyi policy schema > shared/policy/packs/pack.schema.json"


def test_the_packs_can_be_used_together() -> None:
    assert faults(POLICIES.packs) == []
    assert {read_pack(path).pack for path in pack_files()} == set(NAMES)


@pytest.mark.policy("S0-40")
def test_what_the_text_leaves_blank_is_unset_and_refused_with_its_place() -> None:
    with pytest.raises(LimitUnset) as refusal:
        POLICIES.value("gift.limit.manager", ON)
    assert "gift.limit.manager is not set" in str(refusal.value)
    assert "shared/policy/packs/s0-enterprise.yaml" in str(refusal.value)
    assert refusal.value.SLUG == "limit-unset"
    with pytest.raises(LimitUnset, match=r"case\.respond\.within\[urgent\]"):
        POLICIES.row("case.respond.within", "urgent", ON)
    with pytest.raises(LimitUnset, match=r"s0-enterprise\.yaml or .*s1s2s3-general\.yaml"):
        POLICIES.value("gift.limit.janitor", ON)


@pytest.mark.parametrize(
    ("amount", "steps"),
    [(0, "specialist"), (19_999, "specialist"), (20_000, "manager"), (100_000, "manager"), (100_001, "director")],
)
@pytest.mark.policy("S0-40")
def test_gift_tiers_once_the_limits_are_set(amount: int, steps: str) -> None:
    route = layered(version("1", "2026-01-01", *LIMITS)).route("gift.chain", ON, amount)
    assert route.steps == (steps,)
    assert {one.split("@")[0] for one in route.versions} == {"s0-enterprise/S0/1", "ours/OURS/1"}


@pytest.mark.policy("S0-40")
def test_a_limit_above_the_amount_that_is_unset_does_not_matter_one_below_does() -> None:
    only_first = layered(version("1", "2026-01-01", LIMITS[0]))
    assert only_first.route("gift.chain", ON, 1).steps == ("specialist",)
    with pytest.raises(LimitUnset, match=r"gift\.limit\.manager"):
        only_first.route("gift.chain", ON, 20_000)
    for amount in (None, -1):
        with pytest.raises(ValueError, match="say the amount"):
            only_first.route("gift.chain", ON, amount)


@pytest.mark.policy("S0-43")
def test_each_day_has_its_version_and_the_value_names_it() -> None:
    amended = layered(
        version("1", "2026-01-01", *LIMITS),
        version("2", "2026-07-01", setting("gift.limit.manager", 150_000)),
        version("3", "2026-09-01", repeals=["gift.limit.specialist"]),
    )
    june, july = (amended.value("gift.limit.manager", date(2026, month, 30)) for month in (6, 7))
    assert (june.value, july.value) == (100_000, 150_000)
    assert june.version.startswith("ours/OURS/1@")
    assert july.version.startswith("ours/OURS/2@")
    assert amended.value("gift.limit.specialist", date(2026, 8, 31)).value == 20_000
    with pytest.raises(LimitUnset, match=r"s0-enterprise\.yaml"):
        amended.value("gift.limit.specialist", ON)


def test_null_in_front_unsets_what_stands_behind() -> None:
    strict = layered(version("1", "2026-01-01", setting("purchase.within", None, unit="working_days")))
    assert POLICIES.span("purchase.within", ON)[0] == Span(amount=3, unit="working_days")
    with pytest.raises(LimitUnset, match=r"packs/ours\.yaml"):
        strict.span("purchase.within", ON)


@pytest.mark.policy("S0-33")
def test_an_edit_without_a_new_version_shows_in_what_events_carry() -> None:
    before = pack(version("1", "2026-01-01", *LIMITS), version("2", "2026-07-01"))
    after = pack(version("1", "2026-01-01", LIMITS[0], setting("gift.limit.manager", 1)), version("2", "2026-07-01"))
    for one, other in zip(before.editions(), after.editions(), strict=True):
        assert one.stamp.split("@")[0] == other.stamp.split("@")[0]
        assert one.stamp != other.stamp


def test_asking_for_another_kind_of_value_is_a_mistake_of_the_code() -> None:
    for ask in (POLICIES.span, POLICIES.route):
        with pytest.raises(UnitMistaken):
            ask("survey.reviews.least", ON)
    with pytest.raises(UnitMistaken):
        POLICIES.row("survey.reviews.least", "A", ON)
    with pytest.raises(ValueError, match="at least one pack"):
        Policies([])
    with pytest.raises(ValueError, match="twice"):
        Policies([POLICIES.packs[0]] * 2)


@pytest.mark.policy("S1-17")
def test_a_row_of_a_table_comes_with_its_unit() -> None:
    assert POLICIES.row("contact.cadence", "A", ON)[0] == Span(amount=30, unit="calendar_days")
    assert POLICIES.row("grade.least_score", "A", ON)[0] == 12


@pytest.mark.policy("S0-13")
def test_titles_of_all_packs_have_their_roles() -> None:
    titles = POLICIES.titles(ON)
    found = [titles[one] for one in ("总监", "客户关系主管", "售后负责人", "客户经理", "事业部总经理", "CEO")]
    assert found == ["director", "group_leader", "manager", "specialist", "dept_head", "ceo"]


@pytest.mark.parametrize(
    ("name", "written"), [("X2023-07", ("X", "2023", "07")), ("X-2023-07", ("X", "2023", "07")), ("X12-2023-13", None)]
)
@pytest.mark.policy("S0-35")
def test_file_names_by_the_rule_and_by_its_example(name: str, written: tuple[str, ...] | None) -> None:
    import re

    patterns = POLICIES.value("customer.file.accepted_names", ON).value.values()
    found = [match.groups() for pattern in patterns if (match := re.fullmatch(pattern, name))]
    assert (found[0] if found else None) == written
    template = POLICIES.value("customer.file.written_name", ON).value
    assert template.format(code="X", year=2023, month=7) == "X-2023-07"


@pytest.mark.policy("S0-43")
@pytest.mark.policy("S1-24")
def test_documents_come_up_for_review() -> None:
    assert due_for_review(POLICIES.packs, date(2026, 12, 30)) == []
    assert len(due_for_review(POLICIES.packs, date(2026, 12, 31))) == 5


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (lambda: pack(version("1", "2025-12-01", *LIMITS)), "announced before"),
        (lambda: pack(version("2", "2026-07-01"), version("1", "2026-01-01")), "order of their effective dates"),
        (lambda: pack(version("1", "2026-01-01"), version("1", "2026-02-01")), "same name"),
        (lambda: pack(version("1", "2026-01-01", *LIMITS, *LIMITS)), "twice"),
        (lambda: pack(version("1", "2026-01-01", repeals=["gift.limit.manager"])), "was not set"),
        (lambda: pack(version("1", "2026-01-01", *LIMITS, repeals=["gift.limit.manager"])), "both sets and repeals"),
        (lambda: pack(version("1", "2026-01-01", setting("gift", 1))), "pattern"),
        (lambda: pack(version("1", "2026-01-01", setting("gift.limit", -1))), "greater than or equal"),
        (lambda: pack(version("1", "2026-01-01", setting("gift.limit", 1.5))), "valid integer"),
        (lambda: pack(version("1", "2026-01-01", setting("gift.limit", 1, unit="yuan"))), "does not match any"),
        (lambda: pack(version("1", "2026-01-01", setting("gift.limit", 1, clauses=["S9-01"]))), "pattern"),
        (lambda: pack(version("1", "2026-01-01", setting("gift.limit", 1, en=""))), "at least 1"),
        (lambda: pack(version("1", "2026-01-01", setting("gift.limit", 1, limit=2))), "Extra inputs"),
        (lambda: pack(version("1", "2026-01-01", setting("gift.form", {"a": "("}, unit="patterns"))), "regular"),
        (lambda: pack(version("1", "2026-01-01"), review_on="2025-12-01"), "reviewed after"),
        (
            lambda: pack(version("1", "2026-01-01", setting("a.b", {"tiers": [{"steps": ["king"]}]}, unit="chain"))),
            "names king",
        ),
    ],
)
@pytest.mark.policy("S1-23")
def test_an_unsound_pack_is_refused_at_load(fault: Any, sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        fault()


@pytest.mark.parametrize(
    "chain",
    [
        {"tiers": []},
        {"tiers": [{"steps": []}]},
        {"tiers": [{"at_most": "gift.limit.manager", "steps": ["manager"]}]},
        {"tiers": [{"steps": ["manager"]}, {"steps": ["director"]}]},
        {"tiers": [{"below": "a.b", "at_most": "a.b", "steps": ["manager"]}, {"steps": ["director"]}]},
        {"tiers": [{"steps": ["manager"]}], "within": "purchase.within"},
        {"tiers": [{"steps": ["manager"]}], "within": "purchase.within", "on_expiry": "escalate"},
        {"tiers": [{"steps": ["manager"]}], "escalate_to": "coo"},
    ],
)
def test_an_unsound_chain_is_refused_at_load(chain: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        pack(version("1", "2026-01-01", setting("a.b", chain, unit="chain")))


def test_faults_between_packs_are_named() -> None:
    chain = {"tiers": [{"at_most": "no.such.limit", "steps": ["manager"]}, {"steps": ["director"]}]}
    roles = setting("roles.titles", {"经理": "manager", "总监": "director"}, unit="titles")
    lost = pack(version("1", "2026-01-01", roles, setting("x.chain", chain, unit="chain")))
    assert "needs no.such.limit as a number" in faults([lost])[0]
    other = pack(version("1", "2026-01-01", setting("purchase.within", True, unit="flag", clauses=["S0-99"])))
    assert [fault.split(" in ")[0] for fault in faults([*POLICIES.packs, other])] == [
        "purchase.within is a length",
        "purchase.within",
    ]
    falling = pack(version("1", "2026-01-01", setting("gift.limit.specialist", 5), setting("gift.limit.manager", 4)))
    assert any("limits that fall" in fault for fault in faults([POLICIES.packs[0], falling]))


@pytest.mark.policy("S1-23")
def test_a_version_is_announced_as_long_ahead_as_the_policy_asks() -> None:
    for announced, late in (("2026-06-24", []), ("2026-06-25", ["6 days", "asks for 7"])):
        later = {**version("2", "2026-07-01", *LIMITS), "announced": announced}
        found = faults([*POLICIES.packs, pack(version("1", "2026-01-01"), later)])
        assert bool(found) is bool(late)
        assert all(part in found[0] for part in late), found


@pytest.mark.parametrize(
    "key", ["trace.required", "customer.file.single", "storage.encrypted", "access.default_deny", "approval.four_eyes"]
)
def test_what_is_always_so_cannot_be_switched_off(key: str) -> None:
    assert POLICIES.value(key, ON).value is True
    off = pack(version("1", "2026-01-01", setting(key, False, unit="flag")))
    (fault,) = faults([off, *POLICIES.packs])
    assert fault.startswith(f"{key} in ours/OURS/1@")
    assert "cannot be switched off" in fault


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("pack: [", "no readable YAML"),
        ("pack: a\npack: b\n", "'pack' stands twice"),
        ("pack: other\n", "documents: Field required"),
        ("- 1\n", "valid dictionary"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PackUnsound, match=sentence) as refusal:
        read_pack(path)
    assert "mine.yaml" in str(refusal.value)


def test_a_pack_stands_in_a_file_of_its_name_and_is_there(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text((PACKS / "s4-engineering.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(PackUnsound, match=r"name the file s4-engineering\.yaml"):
        read_pack(tmp_path / "mine.yaml")
    with pytest.raises(PackUnsound, match="there is no pack s9"):
        read_policies(["s9"], tmp_path)


@pytest.mark.policy("S0-43")
def test_what_differs_between_versions_and_between_packs() -> None:
    ours = pack(
        version("1", "2026-01-01", *LIMITS, setting("gift.limit.coin", 1)),
        version("2", "2026-07-01", setting("gift.limit.manager", 5), setting("gift.limit.specialist", 20_000, en="x"),
                setting("gift.limit.new", None), repeals=["gift.limit.coin"]),
    )  # fmt: skip
    found = differences(named("ours/OURS/1", [ours], ON), named("ours", [ours], ON))
    assert {one.key.removeprefix("gift.limit."): one.kind for one in found} == {
        "coin": "removed",
        "manager": "changed",
        "new": "added",
        "specialist": "reworded",
    }
    with pytest.raises(NoSuchVersion, match="ours/OURS/2"):
        named("ours/OURS/3", [ours], ON)


def test_every_key_of_every_pack_explains_itself_in_both_languages() -> None:
    for one in POLICIES.packs:
        for edition in one.editions():
            for key in edition.settings:
                (said,) = explain(key, (one,), ON)
                assert all((*said.value, *said.unit, *said.note, *said.when_unset, *said.origin)), key
                assert any("\u4e00" <= sign <= "\u9fff" for sign in said.note.zh), key
                assert not any("\u4e00" <= sign <= "\u9fff" for sign in said.note.en), key
    assert explain("purchase.within", POLICIES.packs, date(2025, 12, 31)) == []
