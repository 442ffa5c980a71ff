"""Our people over HTTP: who holds which post, who stands in for whom, who hears of what is late, when posts rotate."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.customer.commands.age_staff import AgeingStaff
from services.customer.commands.lapse_requests import Lapsing
from services.customer.main import build
from shared.contracts.envelope import parse_moment
from tests.support.customers import wang
from tests.support.issuer import Issuer
from tests.support.limits import GIFTS, limits
from tests.support.nights import night, told_of
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
CRM, DATA = "customer_relations", "customer_data_team"
YES = {"decision": "approve", "step": 0}
HOUR = timedelta(hours=1)


async def post(
    service: Running, path: str, body: object, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    answer = await service.client.post(path, json=body, headers=headers or {"X-Manyi-Person": "hr-1"})
    return answer.status_code, answer.json()


async def seat(service: Running, person: str, role: str, unit: str, headers: dict[str, str] | None = None) -> None:
    status, told = await post(service, f"/v1/staff/{person}/posts", {"role": role, "unit": unit}, headers)
    assert status == 201, told


@pytest.mark.policy("S0-13")
async def test_a_substitute_decides_in_the_place_of_the_absent_one_for_that_time_alone(
    customer: Running, issuer: Issuer
) -> None:
    hr, director, analyst = issuer.bearer("u-hr", "hr"), issuer.bearer("u-dir", "director"), "u-sub"
    owner, stand_in = issuer.bearer("u-1", "specialist"), issuer.bearer(analyst, "analyst")
    file = (await post(customer, "/v1/customers", wang(ownerId="u-1"), owner))[1]
    place = f"/v1/customers/{file['customerId']}/key-changes"
    _, asked = await post(customer, place, {"company": "华北精密仪器有限公司"}, owner)
    assert asked["waitingFor"] == "director", asked
    decisions = f"{place}/{asked['requestId']}/decisions"
    assert (await post(customer, decisions, YES, stand_in))[0] == 403

    seats = "/v1/staff/u-dir/posts"
    assert (await post(customer, seats, {"role": "director", "unit": CRM}, director))[1]["type"] == (
        "/problems/post-to-oneself"
    )
    assert (await post(customer, seats, {"role": "director", "unit": CRM}, owner))[0] == 403
    unknown = await post(customer, seats, {"role": "director", "unit": "moon"}, hr)
    assert (unknown[0], unknown[1]["type"]) == (422, "/problems/post-impossible")
    await seat(customer, "u-dir", "director", CRM, hr)
    assert (await post(customer, seats, {"role": "director", "unit": CRM}, hr))[1]["type"] == (
        "/problems/post-held-already"
    )

    until = (datetime.now(UTC) + HOUR).isoformat()
    absence = {"substitute": analyst, "role": "director", "until": until, "reason": "休假"}
    substitutions = "/v1/staff/u-dir/substitutions"
    assert (await post(customer, substitutions, absence, stand_in))[0] == 403, "nobody takes a place by himself"
    missing = await post(customer, substitutions, {**absence, "role": "finance"}, director)
    assert (missing[0], missing[1]["type"]) == (409, "/problems/substitution-refused")
    status, arranged = await post(customer, substitutions, absence, director)
    assert (status, arranged["substitutions"][0]["substitute"]) == (201, analyst), arranged
    assert "休假" not in str(await customer.service.database["staff"].find().to_list())

    status, done = await post(customer, decisions, YES, stand_in)
    assert (status, done["status"]) == (200, "approved"), done
    (signed,) = await told_of(customer, "manyi.customer.keychange.stepapproved.v1")
    assert (signed["by"], signed["onBehalfOf"]) == (analyst, "u-dir")
    file_place = f"/v1/customers/{file['customerId']}"
    assert (await customer.client.get(file_place, headers=owner)).json()["company"] == "华北精密仪器有限公司"
    refused = await customer.client.patch(file_place, json={"needs": "B"}, headers=stand_in)
    assert refused.status_code == 403, "a substitute signs; nothing else of the role is lent"

    _, again = await post(customer, place, {"company": "华南精密仪器有限公司"}, owner)
    ended = await post(customer, f"{substitutions}/{arranged['substitutions'][0]['substitutionId']}/end", {}, director)
    assert (ended[0], ended[1]["substitutions"]) == (200, [])
    assert (await post(customer, f"{place}/{again['requestId']}/decisions", YES, stand_in))[0] == 403


@pytest.mark.policy("S1-01")
async def test_all_our_people_log_what_a_customer_says_and_see_whom_to_ask(customer: Running, issuer: Issuer) -> None:
    owner, finance = issuer.bearer("u-1", "specialist"), issuer.bearer("u-fin", "finance")
    file = (await post(customer, "/v1/customers", wang(ownerId="u-1"), owner))[1]
    place = f"/v1/customers/{file['customerId']}"
    talk = {"kind": "call", "note": "客户来电询问发票"}
    assert (await customer.client.get(place, headers=finance)).status_code == 403
    assert (await post(customer, f"{place}/interactions", talk, finance))[0] == 201
    for who in (issuer.bearer("u-9", "auditor"), issuer.bearer("crm", "system"), issuer.bearer("u-8")):
        assert (await post(customer, f"{place}/interactions", talk, who))[0] == 403
    chart = await customer.client.get("/v1/organisation", headers=finance)
    assert (chart.status_code, chart.json()["line"]["director"]) == (200, "coo")
    assert chart.json()["duties"]["improvement_items"] == "service_improvement_team"
    assert (await customer.client.get("/v1/organisation", headers=issuer.bearer("crm", "system"))).status_code == 403


@pytest.mark.policy("S0-19", "S0-15", "S3-15")
async def test_the_director_nominates_a_manager_and_hr_returns_it_once_and_decides(
    customer: Running, issuer: Issuer
) -> None:
    director, hr = issuer.bearer("u-dir", "director"), issuer.bearer("u-hr", "hr")
    await seat(customer, "u-lead", "group_leader", DATA, hr)
    held = (await customer.client.get("/v1/staff/u-lead", headers=hr)).json()["posts"][0]["postId"]
    wanted = {"role": "manager", "unit": CRM, "leaves": held, "reason": "连续两个季度排名前20%"}
    place = "/v1/staff/u-lead/promotions"
    assert (await post(customer, place, wanted, hr))[0] == 403
    status, asked = await post(customer, place, wanted, director)
    assert (status, asked["status"], asked["waitingFor"]) == (201, "pending", "hr"), asked
    decisions = f"{place}/{asked['promotionId']}/decisions"
    yes = {"decision": "approve"}
    assert (await post(customer, decisions, yes, director))[0] == 403
    _, mistaken = await post(customer, place, wanted, director)
    withdrawal = f"{place}/{mistaken['promotionId']}/withdrawal"
    foreign = await post(customer, withdrawal, {}, issuer.bearer("u-dir-2", "director"))
    assert (foreign[0], foreign[1]["type"]) == (403, "/problems/approval-not-your-request")
    status, gone = await post(customer, withdrawal, {"reason": "填错"}, director)
    assert (status, gone["status"]) == (200, "withdrawn"), gone
    listed = await customer.client.get("/v1/promotions", params={"status": "pending"}, headers=hr)
    assert [one["staffId"] for one in listed.json()["promotions"]] == ["u-lead"]
    colleague = issuer.bearer("u-1", "specialist")
    assert (await customer.client.get("/v1/promotions", headers=colleague)).status_code == 403
    returned = await post(customer, decisions, {"decision": "return", "reason": "请写明季度"}, hr)
    assert (returned[0], returned[1]["status"], returned[1]["because"]) == (200, "returned", "请写明季度"), returned
    corrected = {**wanted, "reason": "第二、三季度排名前20%"}
    resubmission = f"{place}/{asked['promotionId']}/resubmission"
    foreign = await post(customer, resubmission, corrected, issuer.bearer("u-dir-2", "director"))
    assert (foreign[0], foreign[1]["type"]) == (403, "/problems/approval-not-your-request")
    assert (await post(customer, resubmission, corrected, hr))[0] == 403
    status, again = await post(customer, resubmission, corrected, director)
    assert (status, again["status"], again["cycle"], again["reason"]) == (200, "pending", 2, corrected["reason"])
    old = await post(customer, decisions, yes, hr)
    assert (old[0], old[1]["type"]) == (409, "/problems/approval-step-already-decided")
    status, done = await post(customer, decisions, {**yes, "cycle": 2}, hr)
    assert (status, done["status"]) == (200, "approved"), done
    now_held = (await customer.client.get("/v1/staff/u-lead", headers=colleague)).json()["posts"]
    assert [(one["role"], one["unit"]) for one in now_held] == [("manager", CRM)]
    for collection in ("staff", "journal"):
        found = str(await customer.service.database[collection].find().to_list())
        assert not [words for words in ("前20%", "请写明季度") if words in found]


async def test_nominations_that_wait_are_listed_page_by_page_past_those_that_are_decided(
    customer: Running, issuer: Issuer
) -> None:
    director, hr = issuer.bearer("u-dir", "director"), issuer.bearer("u-hr", "hr")
    for person, ends in (("u-a", True), ("u-b", False), ("u-c", True), ("u-d", False)):
        await seat(customer, person, "group_leader", DATA, hr)
        place = f"/v1/staff/{person}/promotions"
        _, asked = await post(customer, place, {"role": "manager", "unit": CRM, "reason": "业绩"}, director)
        if ends:
            assert (await post(customer, f"{place}/{asked['promotionId']}/withdrawal", {}, director))[0] == 200

    async def page(**asked: str) -> tuple[list[str], str | None]:
        answer = await customer.client.get("/v1/promotions", params={"limit": "1", **asked}, headers=hr)
        told = answer.json()
        return [one["staffId"] for one in told["promotions"]], told.get("next")

    assert await page(status="pending") == (["u-b"], "u-b")
    assert await page(status="pending", after="u-b") == (["u-d"], None)
    assert await page(status="withdrawn", after="u-a") == (["u-c"], None)
    assert await page() == (["u-a"], "u-a")


@pytest.mark.policy("S0-02", "S0-16")
async def test_what_is_late_is_told_up_the_line_to_the_people_who_hold_the_posts(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    packs = limits(tmp_path, GIFTS)
    general = packs["policy_packs"] / "s1s2s3-general.yaml"
    lapsing, escalating = "[group_leader]}], within: keychange.within, on_expiry: lapse", "on_expiry: escalate"
    text = general.read_text(encoding="utf-8")
    assert lapsing in text
    changed = lapsing.replace("on_expiry: lapse", f"{escalating}, escalate_to: coo")
    general.write_text(text.replace(lapsing, changed), encoding="utf-8")
    settings = settings_for(stack, namespace, tmp_path, **packs)
    async with running(build, settings) as customer, night(settings) as late:
        for person, role, unit in (
            ("staff-1", "specialist", DATA),
            ("lead", "group_leader", DATA),
            ("boss", "manager", CRM),
            ("other", "manager", "sales"),
            ("chief", "coo", "operations"),
        ):
            await seat(customer, person, role, unit)
        shown = (await customer.client.get("/v1/staff/staff-1")).json()
        assert shown["posts"][0]["supervisors"] == ["lead"]
        file = (await post(customer, "/v1/customers", wang()))[1]
        place = f"/v1/customers/{file['customerId']}/key-changes"
        _, asked = await post(customer, place, {"phone": "13900139000"}, {"X-Manyi-Person": "staff-1"})
        assert asked["waitingFor"] == "group_leader"

        chore, stored = Lapsing(late.ledger, late.staffing), customer.service.database["key_changes"]
        assert await chore.step() == 0
        late.at(parse_moment(asked["dueAt"]))
        assert [await chore.step() for _ in range(2)] == [1, 0]
        waiting = await stored.find_one({"_id": asked["requestId"]})
        assert waiting is not None
        next_at: datetime = waiting["approval"]["alarm_at"]
        late.at(next_at - timedelta(seconds=1))
        assert await chore.step() == 0
        late.at(next_at)
        assert [await chore.step() for _ in range(2)] == [1, 0]
        told = await told_of(customer, "manyi.customer.keychange.escalated.v1")
        assert [(one["level"], one["to"], one["people"]) for one in told] == [
            (1, "manager", ["boss"]),
            (2, "coo", ["chief"]),
        ], "the director's post is vacant"
        status, done = await post(customer, f"{place}/{asked['requestId']}/decisions", YES, {"X-Manyi-Person": "lead"})
        assert (status, done["status"]) == (200, "approved"), done


@pytest.mark.policy("S0-20")
async def test_who_holds_a_post_for_33_months_is_to_rotate_and_the_supervisor_hears_of_it_twice(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    settings = settings_for(stack, namespace, tmp_path)
    async with running(build, settings) as customer, night(settings) as later:
        await seat(customer, "lead", "group_leader", DATA)
        long_ago = datetime.now(UTC) - timedelta(days=1_050)  # more than 33 months, less than 36
        held = {"role": "specialist", "unit": DATA, "since": long_ago.isoformat()}
        status, shown = await post(customer, "/v1/staff/staff-1/posts", held)
        assert status == 201, shown
        due = parse_moment(shown["posts"][0]["dueAt"])
        assert parse_moment(shown["posts"][0]["warnAt"]) < datetime.now(UTC) < due

        chore = AgeingStaff(later.ledger, later.staffing)
        await chore.step()  # perhaps the service's own chore was first
        assert await chore.step() == 0
        later.at(due - timedelta(seconds=1))
        assert await chore.step() == 0
        later.at(due)
        assert [await chore.step() for _ in range(2)] == [1, 0]
        told = await told_of(customer, "manyi.staff.rotation.calledfor.v1")
        assert [(one["staffId"], one["overdue"], one["people"]) for one in told] == [
            ("staff-1", False, ["lead"]),
            ("staff-1", True, ["lead"]),
        ]
        left = await post(customer, f"/v1/staff/staff-1/posts/{shown['posts'][0]['postId']}/end", {})
        assert (left[0], left[1]["posts"]) == (200, [])
        assert (await post(customer, "/v1/staff/staff-1/posts/none/end", {}))[1]["type"] == "/problems/post-unknown"
        assert (await customer.client.get("/v1/staff/nobody")).status_code == 404
