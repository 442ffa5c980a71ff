"""Who reaches which customer files, and how much of them, over HTTP with tokens."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic.alias_generators import to_camel

from services.customer.main import build
from services.customer.model.cared import CareDay, Commitment
from services.customer.model.customer import PERSONAL, Customer
from services.customer.model.parts import Contact, Interaction
from services.customer.model.planned import Plan
from services.customer.views.customer_file import MASKS
from shared.plumbing.audit.trail import open_audit
from shared.plumbing.audit.verify import verify
from shared.plumbing.clock import SystemClock
from tests.support.issuer import Issuer
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
TEAMS = "teams:\n- team: north\n  members: [u-1, u-2]\n"
FANG = {
    "name": "王芳",
    "phone": "13800135678",
    "company": "华东精密",
    "needs": "点胶机",
    "lawfulBasis": "contract",
    "ownerId": "u-1",
}


@pytest.fixture
async def customer(stack: RealStack, namespace: Namespace, tmp_path: Path, issuer: Issuer) -> AsyncIterator[Running]:
    teams = tmp_path / "teams.yaml"
    teams.write_text(TEAMS)
    settings = settings_for(stack, namespace, tmp_path, teams_file=teams, **issuer.settings())
    async with running(build, settings, issuer.bearer("probe", "system")) as service:
        yield service


@pytest.mark.policy("S0-37")
@pytest.mark.policy("S1-07")
@pytest.mark.policy("S2-21")
async def test_a_file_is_seen_by_its_owner_the_team_and_who_is_granted_masks(customer: Running, issuer: Issuer) -> None:
    owner = issuer.bearer("u-1", "specialist")
    opened = await customer.client.post("/v1/customers", json=FANG, headers=owner)
    assert opened.status_code == 201, opened.text
    path = f"/v1/customers/{opened.json()['customerId']}"

    async def seen(sub: str, *roles: str, **claims: object) -> tuple[int, str | None, str | None]:
        answer = await customer.client.get(path, headers=issuer.bearer(sub, *roles, **claims))
        told = answer.json()
        return answer.status_code, told.get("name"), told.get("phone")

    assert await seen("u-1", "specialist") == (200, "王芳", "13800135678")
    assert await seen("u-2", "group_leader", teams=["north"]) == (200, "王芳", "13800135678")
    assert await seen("u-9", "director") == (200, "王芳", "13800135678")
    assert await seen("u-9", "analyst") == (200, "王*", "138****5678")
    assert await seen("u-9", "marketing") == (200, None, None)
    assert await seen("u-9", "system", topics=["customer-events"]) == (200, "王芳", "13800135678")
    for sub, role in (("u-2", "specialist"), ("u-9", "group_leader"), ("u-9", "finance"), ("u-9", "system")):
        assert (await seen(sub, role))[0] == 403

    for sub, role, count in (("u-1", "specialist", 1), ("u-2", "specialist", 0), ("u-9", "analyst", 1)):
        listed = await customer.client.get("/v1/customers", headers=issuer.bearer(sub, role))
        assert len(listed.json()["customers"]) == count
    changed = [
        (await customer.client.patch(path, json={"needs": "B"}, headers=issuer.bearer(sub, role))).status_code
        for sub, role in (("u-1", "specialist"), ("u-2", "specialist"), ("u-9", "analyst"), ("u-9", "auditor"))
    ]
    assert changed == [200, 403, 403, 403]
    unknown = f"/v1/customers/{'0' * 32}"
    assert (await customer.client.get(unknown, headers=owner)).status_code == 403
    assert (await customer.client.get(unknown, headers=issuer.bearer("u-9", "director"))).status_code == 404


async def test_a_leaders_substitute_signs_for_the_leaders_team_and_for_no_other(
    customer: Running, issuer: Issuer
) -> None:
    hr, leader, stands_in = issuer.bearer("u-hr", "hr"), issuer.bearer("u-2", "group_leader"), issuer.bearer("u-9")

    async def asked_of(person: str, name: str, phone: str) -> str:
        owner = issuer.bearer(person, "specialist")
        file = await customer.client.post(
            "/v1/customers", json={**FANG, "ownerId": person, "name": name, "phone": phone}, headers=owner
        )
        place = f"/v1/customers/{file.json()['customerId']}/key-changes"
        asked = await customer.client.post(place, json={"phone": "13900139000"}, headers=owner)
        assert asked.json()["waitingFor"] == "group_leader", asked.text
        return f"{place}/{asked.json()['requestId']}/decisions"

    async def decided(place: str, who: dict[str, str]) -> int:
        answer = await customer.client.post(place, json={"decision": "approve", "step": 0}, headers=who)
        return answer.status_code

    ours, theirs = await asked_of("u-1", "王芳", "13800135678"), await asked_of("u-7", "李明", "13600136000")
    assert await decided(ours, stands_in) == 403
    post = {"role": "group_leader", "unit": "customer_data_team"}
    assert (await customer.client.post("/v1/staff/u-2/posts", json=post, headers=hr)).status_code == 201
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    absence = {"substitute": "u-9", "role": "group_leader", "until": until}
    arranged = await customer.client.post("/v1/staff/u-2/substitutions", json=absence, headers=leader)
    assert arranged.status_code == 201, arranged.text
    assert [await decided(place, stands_in) for place in (theirs, ours)] == [403, 200]


async def test_one_callers_idempotency_key_does_not_open_anothers_answer(customer: Running, issuer: Issuer) -> None:
    answers = [
        await customer.client.post(
            "/v1/customers", json=FANG, headers={**issuer.bearer(sub, "specialist"), "Idempotency-Key": "k"}
        )
        for sub in ("u-1", "u-1", "u-2")
    ]
    assert ["idempotency-replayed" in answer.headers for answer in answers] == [False, True, False]
    assert answers[0].json() == answers[1].json() != answers[2].json()


@pytest.mark.policy("S0-37")
@pytest.mark.policy("S2-15")
async def test_whoever_learns_from_a_hit_or_a_refusal_who_is_a_customer_is_in_the_audit(
    customer: Running, issuer: Issuer
) -> None:
    post, owner, curious = customer.client.post, issuer.bearer("u-1", "specialist"), issuer.bearer("u-2", "specialist")
    known = (await post("/v1/customers", json=FANG, headers=owner)).json()["customerId"]
    assert (await post("/v1/duplicates/check", json={**FANG, "phone": "13700000000"}, headers=curious)).json()
    stranger = {**FANG, "name": "李敏", "company": "恒信", "phone": "13700000001"}
    assert (await post("/v1/duplicates/check", json=stranger, headers=curious)).json() == []
    like = {**FANG, "company": "华东精密有限公司"}
    alike = await post("/v1/customers", json=like, headers=curious)
    assert alike.json()["type"] == "/problems/customer-looks-like-another", alike.text
    same = await post("/v1/customers", json=FANG, headers=curious)
    assert same.json()["type"] == "/problems/customer-already-registered", same.text
    other = (await post("/v1/customers", json={**like, "notTheSameAs": [known]}, headers=owner)).json()["customerId"]
    listed = await customer.client.get("/v1/duplicates", headers=issuer.bearer("u-3", "group_leader"))
    assert len(listed.json()["pairs"]) == 1, listed.text

    lines = await customer.service.database["audit"].find({"decision": "read"}).sort("at", 1).to_list()
    assert [(one["actor"], one["action"], one["objects"], one["fields"]) for one in lines] == [
        *[("u-2", "customer.create", [known], "masked")] * 3,
        ("u-3", "duplicate.read", sorted([known, other]), "masked"),
    ]


@pytest.mark.policy("S0-05")
@pytest.mark.policy("S0-33")
@pytest.mark.policy("S0-37")
async def test_the_audit_tells_who_did_read_and_was_denied_what_and_shows_a_changed_event(
    customer: Running, issuer: Issuer
) -> None:
    owner, stranger = issuer.bearer("u-1", "specialist"), issuer.bearer("u-2", "specialist")
    opened = (await customer.client.post("/v1/customers", json=FANG, headers=owner)).json()["customerId"]
    await customer.client.get(f"/v1/customers/{opened}", headers=owner)
    await customer.client.get("/v1/customers", headers=owner)
    await customer.client.get(f"/v1/customers/{opened}", headers=stranger)
    await customer.client.get("/v1/health", headers=issuer.bearer("u-3", "nobody"))

    auditor = issuer.bearer("u-9", "auditor")
    told = (await customer.client.get("/v1/audit", params={"object": opened}, headers=auditor)).json()
    assert [(line["actor"], line["action"], line["decision"]) for line in reversed(told)] == [
        ("u-1", "customer.create", "done"),
        ("u-1", "customer.read", "read"),
        ("u-1", "customer.read", "read"),
        ("u-2", "customer.read", "denied"),
    ]
    assert {line["roles"] for line in told} == {"roles/1"}
    assert told[0]["reason"] == "out-of-scope"
    everything = (await customer.client.get("/v1/audit", headers=auditor)).json()
    assert ("u-3", "operations.read", "denied") in [
        (one["actor"], one["action"], one["decision"]) for one in everything
    ]
    assert (await customer.client.get("/v1/audit", params={"actor": "u-1"}, headers=stranger)).json() == []
    own = (await customer.client.get("/v1/audit", params={"actor": "u-1"}, headers=owner)).json()
    assert len(own) == 3

    database = customer.service.database
    kept = str(await database["audit"].find().to_list())
    assert not [value for value in (FANG["name"], FANG["phone"], FANG["needs"]) if value in kept]
    keys = open_audit(customer.service.settings, database, SystemClock(), "customer").keys
    assert (await verify(database, keys, None)).findings == []
    record = await database["journal"].find_one({"subject": opened})
    assert record is not None
    forged = record["event"].replace('"u-1"', '"u-2"')
    await database["journal"].update_one({"_id": record["_id"]}, {"$set": {"event": forged}})
    (finding,) = (await verify(database, keys, None)).findings
    assert (finding.kind, finding.where) == ("edited", f"journal {record['_id']}")


@pytest.mark.policy("S0-37")
async def test_a_grant_opens_one_file_for_a_time_when_somebody_else_gives_it(customer: Running, issuer: Issuer) -> None:
    owner, guest = issuer.bearer("u-1", "specialist"), issuer.bearer("u-2", "specialist")
    director = issuer.bearer("u-9", "director")
    opened = (await customer.client.post("/v1/customers", json=FANG, headers=owner)).json()["customerId"]

    async def post(path: str, headers: dict[str, str], body: object = None) -> tuple[int, dict[str, str]]:
        answer = await customer.client.post(f"/v1/grants{path}", json=body, headers=headers)
        return answer.status_code, answer.json()

    async def seen(headers: dict[str, str]) -> int:
        return (await customer.client.get(f"/v1/customers/{opened}", headers=headers)).status_code

    soon = datetime.now(UTC) + timedelta(days=3)
    terms = {"action": "customer.read", "objectId": opened, "until": soon.isoformat(), "reason": "holiday"}
    assert await seen(guest) == 403
    status, asked = await post("/requests", guest, terms)
    assert (status, asked["status"]) == (201, "requested")
    assert await seen(guest) == 403
    grant = f"/{asked['grantId']}"
    assert (await post(f"{grant}/give", guest))[0] == 403
    assert (await post(f"{grant}/give", issuer.bearer("u-2", "director")))[0] == 403
    assert (await post(f"{grant}/give", director))[0] == 200
    assert (await post(f"{grant}/give", director))[0] == 409
    assert await seen(guest) == 200
    changed = await customer.client.patch(f"/v1/customers/{opened}", json={"grade": "B"}, headers=guest)
    assert changed.status_code == 403
    mine = (await customer.client.get("/v1/grants", headers=guest)).json()
    assert [one["grantId"] for one in mine] == [asked["grantId"]]
    assert (await customer.client.get("/v1/grants", headers=owner)).json() == []
    assert (await post(f"{grant}/revoke", owner))[0] == 403
    assert (await post(f"{grant}/revoke", guest))[0] == 200
    assert await seen(guest) == 403
    for wrong, slug in (
        ({**terms, "until": (soon + timedelta(days=99)).isoformat()}, "grant-too-long"),
        ({**terms, "until": "2026-01-01T00:00:00Z"}, "grant-too-long"),
        ({**terms, "action": "customer.create"}, "action-not-grantable"),
    ):
        status, told = await post("/requests", guest, wrong)
        assert (status, told["type"]) == (422, f"/problems/{slug}")
    assert (await post("", director, {**terms, "grantee": "u-9"}))[0] == 403
    assert (await post("", director, {**terms, "grantee": "u-2"}))[0] == 201
    assert await seen(guest) == 200
    lines = await customer.service.database["audit"].find({"right": "customer.read"}).sort("at", 1).to_list()
    assert [(one["actor"], one["decision"]) for one in lines] == [
        ("u-2", "requested"),
        ("u-9", "given"),
        ("u-2", "revoked"),
        ("u-9", "given"),
    ]


def test_every_personal_field_has_a_mask() -> None:
    personal = {
        *PERSONAL,
        *Customer.PRIVATE,
        *Contact.PRIVATE,
        *Interaction.PRIVATE,
        *Commitment.PRIVATE,
        *Plan.PRIVATE,
        *CareDay.PRIVATE,
    }
    assert {to_camel(name) for name in personal} <= MASKS.keys()
