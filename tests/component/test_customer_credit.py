"""What we trust a customer to pay: asked for, decided by finance, and shown to those alone whom it concerns."""

import pytest

from tests.support.customers import wang
from tests.support.issuer import Issuer
from tests.support.service import Running

pytestmark = pytest.mark.stack
YES = {"decision": "approve", "step": 0}


@pytest.mark.policy("S2-13", "S2-21")
async def test_credit_is_decided_by_finance_and_stands_in_no_list_and_no_event(
    customer: Running, issuer: Issuer
) -> None:
    owner, director = issuer.bearer("u-1", "specialist"), issuer.bearer("u-9", "director")
    finance, auditor = issuer.bearer("u-fin", "finance"), issuer.bearer("u-aud", "auditor")
    client = customer.client
    opening = wang(ownerId="u-1", preferences="周二下午致电")
    assert (await client.post("/v1/customers", json={**opening, "credit": "good"}, headers=owner)).status_code == 422
    file = (await client.post("/v1/customers", json=opening, headers=owner)).json()
    path = f"/v1/customers/{file['customerId']}"
    assert (await client.patch(path, json={"credit": "good"}, headers=owner)).status_code == 422
    wrong = await client.post(f"{path}/key-changes", json={"credit": "superb"}, headers=owner)
    assert (wrong.status_code, wrong.json()["type"]) == (422, "/problems/customer-field-malformed")
    both = await client.post(f"{path}/key-changes", json={"credit": "good", "company": "恒信食品"}, headers=owner)
    assert (both.status_code, both.json()["type"]) == (422, "/problems/credit-goes-alone")

    asked = await client.post(f"{path}/key-changes", json={"credit": "good"}, headers=owner)
    assert (asked.status_code, asked.json()["waitingFor"]) == (201, "finance"), asked.text
    (waiting,) = (await client.get("/v1/credit-requests", headers=finance)).json()["asked"]
    assert (waiting["customerId"], waiting["credit"], waiting["requester"]) == (file["customerId"], "good", "u-1")
    assert (await client.get(f"{path}/credit", headers=finance)).json().get("credit") is None
    decisions = f"{path}/key-changes/{asked.json()['requestId']}/decisions"
    assert (await client.post(decisions, json=YES, headers=director)).status_code == 403
    decided = await client.post(decisions, json=YES, headers=finance)
    assert (decided.status_code, decided.json()["status"]) == (200, "approved"), decided.text

    for reader in (finance, director, auditor):
        told = (await client.get(f"{path}/credit", headers=reader)).json()
        assert (told["credit"], [one["status"] for one in told["asked"]]) == ("good", ["approved"])
    assert (await client.get(path, headers=finance)).status_code == 403
    for who in (owner, issuer.bearer("u-8", "analyst"), issuer.bearer("u-7", "marketing")):
        assert (await client.get(f"{path}/credit", headers=who)).status_code == 403
        assert (await client.get("/v1/credit-requests", headers=who)).status_code == 403
    elsewhere = ("", "/360", "/key-changes", "/timeline")
    shown = [(await client.get(f"{path}{place}", headers=director)).json() for place in elsewhere]
    exported = await client.get("/v1/customers/export", params={"purpose": "service"}, headers=director)
    assert shown[0]["preferences"] == "周二下午致电"
    assert "周二下午致电" in exported.text
    for text in (str(shown), exported.text):
        assert "good" not in text
    copied = await client.get(f"{path}/personal-data", headers=director)
    assert copied.json()["customer"]["credit"] == "good", "the person's own copy has all of it"

    database = customer.service.database
    lines = await database["audit"].find({"action": "credit.read"}).to_list()
    told = {(one["actor"], one["decision"], *one["objects"]) for one in lines}
    assert {("u-fin", "read", file["customerId"]), ("u-1", "denied")} <= told
    kept = [str(await database[name].find().to_list()) for name in ("customers", "key_changes", "journal")]
    assert not [text for text in kept if "good" in text or "周二" in text]
