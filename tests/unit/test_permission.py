"""The roles table: every role × action × situation, several roles, and the rules no role can lift (DOMAIN E4)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.policy.approvals.acting import Substitution
from shared.policy.permission import masking
from shared.policy.permission.decision import Allowed, Caller, Denied, Facts, Grant, Question
from shared.policy.permission.organisation import Organisation, Team
from shared.policy.permission.table import AUDITOR, Fields, Roles, Version, more
from shared.policy.shelf import read_policies, read_roles

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TABLE = read_roles().in_force(NOW.date())
ME, MATE, STRANGER = "u-1", "u-2", "u-3"
TEAMS = Organisation(
    teams=(Team(team="north", members=frozenset({ME, MATE})), Team(team="south", members=frozenset({STRANGER})))
)
PACKS = read_policies(["s0-enterprise", "s4-engineering", "s1s2s3-general"])
ROW, TOPIC = "c" * 32, "customer-events"
SITUATIONS = {
    "own": Facts(ROW, frozenset({ME}), claimable=True),
    "team": Facts(ROW, frozenset({MATE}), claimable=True),
    "unclaimed": Facts(ROW, claimable=True),
    "granted": Facts(ROW, frozenset({STRANGER}), claimable=True),
    "topic": Facts(ROW, frozenset({STRANGER}), claimable=True),
    "all": Facts(ROW, frozenset({STRANGER}), claimable=True),
}
"""The scope that alone reaches the row (own rows are a team's rows too; `all` reaches each)."""
DAY = timedelta(days=1)
roles_held = st.frozensets(st.sampled_from(sorted(TABLE.roles)), max_size=4)
actions = st.sampled_from(sorted(TABLE.actions))
situations = st.sampled_from(sorted(SITUATIONS))


def asking(
    roles: frozenset[str], action: str, situation: str = "all", grants: tuple[Grant, ...] | None = None
) -> Question:
    topics = frozenset({TOPIC}) if situation == "topic" else frozenset({"survey-events"})
    who = Caller(ME, roles, frozenset({"north"}), topics)
    held = (Grant(ME, action, ROW, NOW, NOW + DAY),) if situation == "granted" and grants is None else grants or ()
    return Question(TABLE, TEAMS, who, action, NOW, TOPIC, held)


def held(roles: frozenset[str]) -> frozenset[str]:
    """Whoever holds any role is one of our people too; a service account is not (S1-01)."""
    return roles if "system" in roles or not roles else roles | {"staff"}


def expected(role: str, action: str, situation: str) -> Fields | None:
    """What the table says, read as a clerk would: the row's scope, or one that includes it."""
    right = TABLE.roles[role].get(action)
    if right is None:
        return None
    enough = {situation, "all"} | ({"team"} if situation == "own" else set())
    return right.fields if right.scope & enough else None


def seen_most(roles: frozenset[str], action: str, situation: str) -> Fields | None:
    """The most that any of these roles is shown; None where none of them reaches the row."""
    if AUDITOR in roles and TABLE.actions[action].kind != "read":
        return None
    best: Fields | None = None
    for role in held(roles):
        if fields := expected(role, action, situation):
            best = fields if best is None else more(best, fields)
    return best


@pytest.mark.policy("S2-21")
@pytest.mark.policy("S0-14")
@pytest.mark.parametrize("role", sorted(TABLE.roles))
def test_one_role_may_what_its_row_of_the_table_says(role: str) -> None:
    for action, (situation, facts) in product(TABLE.actions, SITUATIONS.items()):
        decision = asking(frozenset({role}), action, situation).may(facts)
        fields = seen_most(frozenset({role}), action, situation)
        assert decision == (Allowed(fields) if fields else decision), (action, situation)
        assert isinstance(decision, Allowed) is (fields is not None), (action, situation)


@pytest.mark.policy("S1-01")
def test_all_our_people_log_what_a_customer_says_and_open_cases_but_auditors_and_service_accounts() -> None:
    people = sorted(set(TABLE.roles) - {AUDITOR, "system"})
    for role, action in product(people, ("interaction.log", "case.open")):
        assert asking(frozenset({role}), action).may(SITUATIONS["all"]) == Allowed("full"), (role, action)
    for role, no in (
        (AUDITOR, Denied("auditor-never-writes")),
        ("system", Denied("no-permission")),
        ("emperor", Denied("no-permission")),
    ):
        assert asking(frozenset({role}), "interaction.log").may(SITUATIONS["all"]) == no


@pytest.mark.policy("S0-03")
def test_sales_enters_base_data_and_marketing_runs_activities_with_us() -> None:
    for role, may in (
        ("specialist", ("customer.create",)),
        ("marketing", ("company_event.write", "segment.write", "service_item.write")),
    ):
        for action in may:
            assert isinstance(asking(frozenset({role}), action).may(SITUATIONS["all"]), Allowed), (role, action)
    assert isinstance(asking(frozenset({"marketing"}), "customer.create").may(SITUATIONS["all"]), Denied)


@pytest.mark.policy("S0-15")
def test_managers_turn_to_hr_and_finance_who_each_decide_something_and_see_no_file() -> None:
    liaison = PACKS.value("roles.liaison", NOW.date()).value
    assert set(liaison) == {"hr", "finance"}
    for role in liaison:
        decides = [name for name in TABLE.roles[role] if TABLE.actions[name].kind == "approve"]
        assert decides, role
        assert asking(frozenset({role}), "customer.read").may(SITUATIONS["all"]) == Denied("no-permission")
    assert asking(frozenset({"manager"}), "staff.read").may(SITUATIONS["all"]) == Allowed("full"), "whom to turn to"


@given(roles_held, actions, situations)
def test_several_roles_may_what_one_of_them_may_and_see_the_most(
    roles: frozenset[str], action: str, situation: str
) -> None:
    decision = asking(roles, action, situation).may(SITUATIONS[situation])
    if AUDITOR in roles and TABLE.actions[action].kind != "read":
        assert decision == Denied("auditor-never-writes")
    best = seen_most(roles, action, situation)
    assert decision == (Allowed(best) if best else decision)
    assert isinstance(decision, Allowed) is (best is not None)


@given(roles_held, actions, situations)
def test_a_list_shows_exactly_the_rows_that_could_be_opened_one_by_one(
    roles: frozenset[str], action: str, situation: str
) -> None:
    question = asking(roles, action, situation)
    for facts in SITUATIONS.values():
        assert question.reach().covers(facts) is isinstance(question.may(facts), Allowed)


@given(roles_held, actions, situations)
def test_whoever_requested_does_not_approve(roles: frozenset[str], action: str, situation: str) -> None:
    facts = Facts(ROW, frozenset({ME}), requester=ME)
    if TABLE.actions[action].kind == "approve":
        assert isinstance(asking(roles, action, situation).may(facts), Denied)


@pytest.mark.policy("S0-14")
def test_a_substitute_approves_what_the_absent_one_may_and_does_nothing_else_of_the_role() -> None:
    lent = (Substitution(role="director", absent=STRANGER, since=NOW, until=NOW + DAY),)
    for action, declared in TABLE.actions.items():
        who = Caller(ME, frozenset({"analyst"}), standing_in=lent)
        decision = Question(TABLE, TEAMS, who, action, NOW).may(SITUATIONS["all"])
        roles = frozenset({"analyst", "director"} if declared.kind == "approve" else {"analyst"})
        assert isinstance(decision, Allowed) is (seen_most(roles, action, "all") is not None), action
    auditor = Caller(ME, frozenset({AUDITOR}), standing_in=lent)
    refused = Question(TABLE, TEAMS, auditor, "gift.approve", NOW).may(SITUATIONS["all"])
    assert refused == Denied("auditor-never-writes")


@pytest.mark.policy("S0-14")
def test_a_role_lent_for_a_team_reaches_the_team_of_the_absent_one_alone() -> None:
    lent = (Substitution(role="group_leader", absent=MATE, since=NOW, until=NOW + DAY),)
    stands_in = Caller(STRANGER, frozenset({"analyst"}), frozenset({"south"}), standing_in=lent)
    northern, southern = Facts(ROW, frozenset({ME}), claimable=True), Facts(ROW, frozenset({STRANGER}), claimable=True)
    signing = Question(TABLE, TEAMS, stands_in, "keychange.approve", NOW)
    assert (signing.may(northern), signing.may(southern)) == (Allowed("full"), Denied("out-of-scope"))
    assert [signing.reach().covers(one) for one in (northern, southern)] == [True, False]
    leads = replace(stands_in, roles=frozenset({"group_leader"}))
    both = Question(TABLE, TEAMS, leads, "keychange.approve", NOW)
    assert [isinstance(both.may(one), Allowed) for one in (northern, southern)] == [True, True]
    reading = Question(TABLE, TEAMS, leads, "customer.read", NOW)
    assert isinstance(reading.may(northern), Denied), "nothing but signing is lent"


@pytest.mark.policy("S0-37")
@pytest.mark.parametrize(
    "grant",
    [
        Grant(ME, "customer.read", ROW, NOW - DAY, NOW),
        Grant(ME, "customer.read", ROW, NOW + DAY, NOW + 2 * DAY),
        Grant(ME, "customer.read", ROW, NOW, NOW + DAY, revoked=True),
        Grant(MATE, "customer.read", ROW, NOW, NOW + DAY),
        Grant(ME, "customer.write", ROW, NOW, NOW + DAY),
        Grant(ME, "customer.read", "d" * 32, NOW, NOW + DAY),
    ],
    ids=["expired", "not begun", "revoked", "another's", "another action", "another row"],
)
def test_a_grant_reaches_one_row_with_one_action_for_its_time(grant: Grant) -> None:
    held = asking(frozenset({"specialist"}), "customer.read", grants=(grant,))
    assert held.may(SITUATIONS["granted"]) == Denied("out-of-scope")
    good = Grant(ME, "customer.read", ROW, NOW, NOW + DAY)
    held = asking(frozenset({"specialist"}), "customer.read", grants=(grant, good))
    assert held.may(SITUATIONS["granted"]) == Allowed("full")


def test_what_is_not_in_the_table_is_denied() -> None:
    assert asking(frozenset(), "customer.read").may(Facts(ROW)) == Denied("no-permission")
    assert asking(frozenset({"emperor"}), "customer.read").may(Facts(ROW)) == Denied("no-permission")
    assert asking(frozenset({"director"}), "customer.burn").may(Facts(ROW)) == Denied("unknown-action")
    local = Question(TABLE, TEAMS, Caller("local", unrestricted=True), "customer.burn", NOW)
    assert local.may(Facts(ROW)) == Denied("unknown-action")


def test_without_a_row_nothing_is_unclaimed() -> None:
    assert isinstance(asking(frozenset({"specialist"}), "case.read").may(Facts()), Denied)


def test_whoever_a_chain_names_may_approve_and_the_coo_signs_nothing_of_the_ceo() -> None:
    actions_of = {"survey.plan": "campaign", "survey.scheme": "campaign", "survey.sample": "campaign"}
    editions = [edition for pack in PACKS.packs for edition in pack.editions()]
    chains = {
        key: one.value
        for edition in editions
        for key, one in edition.settings.items()
        if one.unit == "chain" and one.value is not None
    }
    assert len(chains) >= 8
    for key, chain in chains.items():
        kind = key.split(".chain")[0]
        assert chain.roles <= set(TABLE.roles), key
        for role in chain.roles - {chain.escalate_to}:
            assert f"{actions_of.get(kind, kind)}.approve" in TABLE.roles[role], (key, role)
    titles = PACKS.titles(NOW.date())
    assert set(titles.values()) <= set(TABLE.roles)
    assert not [name for name in TABLE.roles["coo"] if TABLE.actions[name].kind == "approve"]


def test_an_unsound_table_is_refused() -> None:
    frame = {"version": "x/1", "effective_from": "2026-01-01", "longest_grant_days": 1}
    actions_ = {"a.read": {"kind": "read"}, "a.write": {"kind": "write"}}

    def version(**roles: dict[str, object]) -> None:
        Version.model_validate({**frame, "actions": actions_, "roles": roles})

    version(clerk={"a.write": "own"}, auditor={"a.read": {"scope": "all", "fields": "masked"}})
    for wrong in (
        {"clerk": {"a.burn": "all"}},
        {"clerk": {"a.read": "some"}},
        {"auditor": {"a.write": "all"}},
        {"clerk": {"a.write": {"scope": "all", "fields": "masked"}}},
    ):
        with pytest.raises(ValidationError):
            version(**wrong)
    with pytest.raises(ValidationError, match="the base role everybody is not among the roles"):
        Version.model_validate({**frame, "base": "everybody", "actions": actions_, "roles": {}})
    one = {**frame, "actions": actions_, "roles": {}}
    with pytest.raises(ValidationError):
        Roles.model_validate({"policy": "roles", "versions": [one, {**one, "version": "x/2"}]})
    later = Roles.model_validate(
        {"policy": "roles", "versions": [one, {**one, "version": "x/2", "effective_from": "2027-01-01"}]}
    )
    assert later.in_force(NOW.date()).version == "x/1"
    assert later.in_force(NOW.date().replace(year=2027)).version == "x/2"
    assert later.in_force(NOW.date().replace(year=2020)).version == "x/1"


@given(st.text(min_size=1, max_size=40), st.sampled_from(get_args(Fields)))
def test_a_mask_shows_less_than_half_of_a_person(value: str, fields: Fields) -> None:
    shown = {"name": value, "grade": "A"}
    seen = masking.masked(shown, {"name": masking.person}, fields)
    assert seen["grade"] == "A"
    if fields == "full":
        assert seen == shown
    elif fields == "none":
        assert "name" not in seen
    else:
        assert len(seen["name"]) <= 2


def test_masks_known_by_heart() -> None:
    assert masking.phone("+86 138-0013-5678") == "861****5678"
    assert masking.phone("13800135678") == "138****5678"
    assert masking.phone("6221") == "****"
    assert masking.person("王芳") == "王*"
    assert masking.email("fang@example.com") == "f***@example.com"
    assert masking.email("nobody") == masking.HIDDEN
    kept = masking.masked({"ids": {"crm": "K"}}, {"ids": masking.absent}, "masked")
    assert kept == {}
