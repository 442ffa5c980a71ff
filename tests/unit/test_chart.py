"""The chart of the organisation: who is above whom, by the packs' lines and the posts that are held."""

from datetime import date

import pytest

from shared.policy.chart import Chart, Holder, Rung
from shared.policy.shelf import read_policies

ON = date(2026, 11, 20)
S0 = read_policies(["s0-enterprise"])
CRM, DATA, SERVICE = "customer_relations", "customer_data_team", "service_improvement_team"
HOLDERS = (
    Holder("u-spec", "specialist", DATA),
    Holder("u-lead", "group_leader", DATA),
    Holder("u-lead-2", "group_leader", SERVICE),
    Holder("u-mgr", "manager", CRM),
    Holder("u-dir", "director", CRM),
    Holder("u-coo", "coo", "operations"),
    Holder("u-fin", "finance", "finance"),
)


def chart(*without: str) -> Chart:
    return Chart.of(S0, ON, [one for one in HOLDERS if one.person not in without])


@pytest.mark.policy("S0-02", "S0-13")
def test_each_level_reports_to_the_next_and_the_department_to_the_coo() -> None:
    assert list(chart().above("specialist")) == ["group_leader", "manager", "director", "coo", "ceo"]
    assert next(chart().above("director")) == "coo"
    assert list(chart().above("ceo")) == []


@pytest.mark.policy("S0-16")
def test_three_core_teams_stand_in_the_department_each_with_its_duty() -> None:
    teams = S0.value("teams.core", ON).value
    assert {S0.value("organisation.units", ON).value[team] for team in teams} == {CRM}
    duties = S0.value("teams.duties", ON).value
    assert duties["improvement_items"] == SERVICE
    assert set(duties.values()) == set(teams)


@pytest.mark.policy("S0-03")
def test_the_departments_that_share_data_are_units_of_the_company() -> None:
    units = S0.value("organisation.units", ON).value
    assert set(S0.value("departments.sharing", ON).value.values()) <= set(units)


def test_the_supervisor_is_the_nearest_one_and_a_vacant_post_is_passed_over() -> None:
    assert chart().supervisors(HOLDERS[0]) == ("u-lead",)
    assert chart("u-lead", "u-lead-2").supervisors(HOLDERS[0]) == ("u-mgr",)
    assert chart("u-lead").supervisors(HOLDERS[0]) == ("u-mgr",), "not the leader of another team"
    assert chart("u-lead", "u-lead-2", "u-mgr").supervisors(HOLDERS[0]) == ("u-dir",)
    assert chart().supervisors(HOLDERS[5]) == ()


@pytest.mark.policy("S0-02")
def test_who_is_told_goes_up_the_line_to_the_last_role_and_no_further() -> None:
    told = chart().rungs("manager", "coo", [DATA])
    assert told == (Rung("director", ("u-dir",)), Rung("coo", ("u-coo",)))
    assert chart("u-dir", "u-coo").rungs("manager", "coo", [DATA]) == (Rung("coo", ()),)
    assert chart().rungs("finance", "director") == (Rung("director", ("u-dir",)),), "not on the line: told all the same"


def test_a_chart_that_runs_in_a_circle_ends() -> None:
    circle = Chart({"a": "b", "b": "a"}, {"x": "y", "y": "x"}, (Holder("p", "c", "z"),))
    assert list(circle.above("a")) == ["b"]
    assert circle.holding("c", ["x"]) == ("p",)
