"""An edited business calendar: open requests are due by it, and an event says before and after."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from services.customer.commands.expire_requests import Expiring
from services.customer.commands.follow_calendar import Rescheduling
from services.customer.commands.lapse_requests import Lapsing
from services.customer.main import build
from shared.contracts.envelope import parse_moment
from shared.policy.policies import LimitUnset
from tests.support.customers import wang
from tests.support.limits import GIFTS, limits
from tests.support.nights import night, told_of
from tests.support.service import running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
UNSET = {"key": "calendar.company", "unit": "calendar", "value": None, "clauses": ["Q1"], "zh": "未定", "en": "unset"}
UNTIMED = "{tiers: [{steps: [hr]}]}"
TIMED = "{tiers: [{steps: [hr]}], within: purchase.within, on_expiry: lapse}"
HOURS = "              hours: [09:00-12:00, 13:30-18:00]\n"


@pytest.mark.policy("S0-31", "S2-19", "S0-19")
async def test_open_requests_follow_an_edited_calendar_and_decided_ones_do_not(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    packs = limits(tmp_path, GIFTS)
    pack = packs["policy_packs"] / "s0-enterprise.yaml"
    text = pack.read_text(encoding="utf-8")
    assert UNTIMED in text
    assert HOURS in text
    timed = text.replace(UNTIMED, TIMED)
    pack.write_text(timed, encoding="utf-8")
    settings = settings_for(stack, namespace, tmp_path, **packs)
    clerk = {"X-Manyi-Person": "staff-1"}
    async with running(build, settings) as customer:
        file = (await customer.client.post("/v1/customers", json=wang())).json()
        place = f"/v1/customers/{file['customerId']}/key-changes"
        change = (await customer.client.post(place, json={"phone": "13900139000"}, headers=clerk)).json()
        bought, taken_back = [
            (await customer.client.post("/v1/procurements", json={"amount": 900_000}, headers=clerk)).json()
            for _ in range(2)
        ]
        withdrawal = f"/v1/procurements/{taken_back['requestId']}/withdrawal"
        assert (await customer.client.post(withdrawal, json={}, headers=clerk)).status_code == 200
        lead, post = {"role": "group_leader", "unit": "customer_data_team"}, {"role": "manager", "unit": "sales"}
        assert (await customer.client.post("/v1/staff/lead/posts", json=lead, headers=clerk)).status_code == 201
        nomination = {**post, "reason": "业绩突出"}
        nominated = (await customer.client.post("/v1/staff/lead/promotions", json=nomination, headers=clerk)).json()

    due = {
        one.get("requestId", one.get("promotionId")): parse_moment(one["dueAt"]) for one in (bought, change, nominated)
    }
    first = (min(due.values()) - timedelta(days=1)).date()
    closed = f"{{first: {first}, last: {first + timedelta(days=10)}, zh: 停工, en: closed}}"
    pack.write_text(timed.replace(HOURS, f"{HOURS}              closed: [{closed}]\n", 1), encoding="utf-8")

    async with night(settings) as edited:
        chore = Rescheduling(edited.ledger, edited.desk)
        assert [await chore.step() for _ in range(2)] == [3, 0]
        query = {"type": {"$regex": "rescheduled"}}
        said = [json.loads(one["event"]) for one in await edited.ledger.database["journal"].find(query).to_list()]
        told = {one["data"].get("requestId", one["data"].get("promotionId")): one["data"] for one in said}
        assert set(told) == set(due)
        for request_id, one in told.items():
            assert parse_moment(one["dueBefore"]) == due[request_id]
            assert parse_moment(one["dueAt"]) > due[request_id]
        for collection in ("spendings", "key_changes"):
            for one in await edited.ledger.database[collection].find({"_id": {"$in": list(due)}}).to_list():
                assert one["approval"]["due_at"] == parse_moment(told[one["_id"]]["dueAt"])
        shown = await edited.ledger.database["staff"].find_one({"_id": "lead"})
        assert shown is not None
        assert shown["timer_at"] == parse_moment(told[nominated["promotionId"]]["dueAt"])


async def test_while_no_calendar_is_set_nothing_is_asked_for_and_what_is_late_is_told_all_the_same(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    packs = limits(tmp_path, GIFTS)
    settings = settings_for(stack, namespace, tmp_path, **packs)
    clerk = {"X-Manyi-Person": "staff-1"}
    async with running(build, settings) as customer:
        file = (await customer.client.post("/v1/customers", json=wang())).json()
        place = f"/v1/customers/{file['customerId']}/key-changes"
        change = (await customer.client.post(place, json={"phone": "13900139000"}, headers=clerk)).json()
        bought = (await customer.client.post("/v1/procurements", json={"amount": 900_000}, headers=clerk)).json()

    ours = packs["policy_packs"] / "ours.yaml"
    pack = yaml.safe_load(ours.read_text(encoding="utf-8"))
    pack["documents"][0]["versions"][0]["settings"].append(UNSET)
    ours.write_text(yaml.safe_dump(pack, allow_unicode=True), encoding="utf-8")
    async with running(build, settings) as customer, night(settings) as late:
        refused = await customer.client.post(place, json={"phone": "13700137000"}, headers=clerk)
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/limit-unset"), refused.text
        assert "calendar.company is not set" in refused.json()["detail"]
        assert (await customer.client.get(f"/v1/customers/{file['customerId']}/360")).status_code == 200
        late.at(max(parse_moment(one["dueAt"]) for one in (change, bought)))
        assert await Lapsing(late.ledger, late.staffing).step() == 1
        assert await Expiring(late.ledger, late.desk, late.staffing).step() == 1
        shown = (await customer.client.get(place)).json()
        assert [one["status"] for one in shown] == ["lapsed"]
        assert await told_of(customer, "manyi.request.escalated.v1")
        with pytest.raises(LimitUnset):
            await Rescheduling(late.ledger, late.desk).step()
