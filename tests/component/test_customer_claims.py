"""People claim rights to their own data over HTTP: noted by anybody, answered by few, once, also when forgotten."""

from typing import Any

import pytest

from tests.support.customers import wang
from tests.support.eventually import eventually
from tests.support.issuer import Issuer
from tests.support.service import Running

pytestmark = pytest.mark.stack
WORDS = "请给我一份贵司保存的信息7319"


@pytest.mark.policy("S2-02")
async def test_a_claim_is_noted_listed_and_answered_once_and_one_to_be_forgotten_after_that(
    customer: Running, issuer: Issuer
) -> None:
    owner, finance = issuer.bearer("u-1", "specialist"), issuer.bearer("u-fin", "finance")
    director, analyst = issuer.bearer("u-dir", "director"), issuer.bearer("u-ana", "analyst")

    async def post(place: str, body: object, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        answer = await customer.client.post(place, json=body, headers=headers)
        return answer.status_code, answer.json()

    async def listed(status: str, headers: dict[str, str]) -> list[dict[str, Any]]:
        found = await customer.client.get("/v1/claims", params={"status": status}, headers=headers)
        claims: list[dict[str, Any]] = found.json()["claims"]
        return claims

    path = f"/v1/customers/{(await post('/v1/customers', wang(ownerId='u-1'), owner))[1]['customerId']}"
    person = (await post(f"{path}/contacts", {"name": "李敏"}, owner))[1]["contactId"]
    copy = {"right": "copy", "contactId": person, "channel": "phone", "words": WORDS}
    status, claim = await post(f"{path}/claims", copy, finance)
    assert (status, claim["status"], claim["overdue"], "15 working days" in claim["why"]["en"]) == (
        201, "open", False, True,
    )  # fmt: skip
    twice = await post(f"{path}/claims", copy, owner)
    assert (twice[0], twice[1]["type"]) == (409, "/problems/claimed-already")
    stranger = await post(f"{path}/claims", {**copy, "contactId": "0" * 32}, finance)
    assert (stranger[0], stranger[1]["type"]) == (404, "/problems/contact-unknown")
    assert [(one["claimId"], one["words"]) for one in await listed("open", director)] == [(claim["claimId"], WORDS)]
    assert ["words" in one for one in await listed("open", analyst)] == [False]

    answer = f"{path}/claims/{claim['claimId']}/answer"
    assert (await post(answer, {"outcome": "granted"}, owner))[0] == 403
    assert (await post(answer, {"outcome": "refused"}, director))[0] == 422
    status, done = await post(answer, {"outcome": "refused", "reason": "legal_duty", "words": "保存期未满"}, director)
    assert (status, done["status"], done["reason"], done["late"]) == (200, "refused", "legal_duty", False)
    assert (await post(answer, {"outcome": "granted"}, director))[1]["type"] == "/problems/claim-answered"
    stored = [str(await customer.service.database[name].find().to_list()) for name in ("rights_claims", "journal")]
    assert not [text for text in stored if WORDS in text or "保存期未满" in text]

    forget = (await post(f"{path}/claims", {"right": "erasure", "words": WORDS}, finance))[1]["claimId"]
    assert (await post(f"{path}/erasure", {}, director))[0] == 200
    assert [(one["right"], "words" in one) for one in await listed("open", director)] == [("erasure", False)]
    status, told = await post(f"{path}/claims/{forget}/answer", {"outcome": "granted", "words": "已删除"}, director)
    assert (status, told["status"], "answer" in told) == (200, "granted", False)

    async def forgotten() -> bool:  # a process may remember a key for some seconds
        left = (await customer.client.get(f"{path}/claims", headers=director)).json()
        return {(one["right"], one["status"], "words" in one) for one in left} == {
            ("copy", "refused", False),
            ("erasure", "granted", False),
        }

    await eventually(forgotten, timeout=40)
