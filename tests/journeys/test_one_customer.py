"""One customer's story over the four services, each step by somebody with the right to it; and what is known of it all
in the end, the day before, and once the customer is forgotten."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.customer.main import build as build_customer
from services.feedback.main import build as build_feedback
from services.reporting.main import build as build_reporting
from services.survey.main import build as build_survey
from shared.plumbing.app import Service
from shared.plumbing.settings import Settings
from tests.support.eventually import eventually
from tests.support.issuer import Issuer
from tests.support.limits import GIFTS, limits
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
SERVICES: Mapping[str, Callable[[Settings], Service]] = {
    "customer": build_customer,
    "survey": build_survey,
    "feedback": build_feedback,
    "reporting": build_reporting,
}
ROLES = {"u-1": "specialist", "u-2": "manager", "u-3": "director", "u-4": "finance", "u-5": "analyst"}
OWNER, MANAGER, DIRECTOR, FINANCE, ANALYST = ROLES
YES = {"decision": "approve", "step": 0}
SCALE = {"question": "product", "kind": "csat", "scale": [1, 5]}


@dataclass(frozen=True)
class House:
    """The four services, and whoever asks something of one of them."""

    services: Mapping[str, Running]
    issuer: Issuer

    async def post(self, who: str, service: str, path: str, body: object, status: int = 201) -> dict[str, Any]:
        """What a command answers, which has this status."""
        headers = self.issuer.bearer(who, ROLES[who])
        answer = await self.services[service].client.post(path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def get(self, who: str, service: str, path: str, **params: str) -> Any:
        """What is to be read there."""
        headers = self.issuer.bearer(who, ROLES[who])
        answer = await self.services[service].client.get(path, params=params, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def ordered(self, number: str, days_ago: int) -> None:
        """The order system tells of an order."""
        at = (datetime.now(UTC) - timedelta(days=days_ago)).isoformat()
        data = {"customer": "K-1", "order": number, "amount": 90_000, "currency": "CNY"}
        event = {"specversion": "1.0", "id": number, "source": "erp", "type": "order.placed", "time": at, "data": data}
        right = self.issuer.bearer("erp", "system", topics=["customer-intake"])
        media = {"content-type": "application/cloudevents+json"}
        answer = await self.services["customer"].client.post("/v1/intake", json=event, headers={**right, **media})
        assert [one["outcome"] for one in answer.json()["receipts"]] == ["accepted"], answer.text

    async def numbers(self, **params: str) -> tuple[int, ...]:
        """How many answers, complaints and orders are counted, and how many of the answers are good."""
        told = [
            (await self.get(ANALYST, "reporting", f"/v1/metrics/{metric}", **params))["total"]
            for metric in ("csat", "complaints_opened", "purchases")
        ]
        return (*(one["n"] for one in told), told[0]["count"] or 0)


@pytest.fixture
async def house(stack: RealStack, namespace: Namespace, tmp_path: Path) -> AsyncIterator[House]:
    issuer, policy = Issuer(tmp_path), limits(tmp_path, GIFTS)
    async with AsyncExitStack() as started:
        services = {}
        for name, build in SERVICES.items():
            settings = settings_for(stack, namespace, tmp_path, **issuer.settings(), **policy)
            probe = issuer.bearer("probe", "system")
            services[name] = await started.enter_async_context(running(build, settings, probe))
        yield House(services, issuer)


async def taken_in(house: House) -> tuple[str, str]:
    """Who bought before is registered, with a person there who agrees to be asked; answers the ids of both."""
    await house.ordered("o-1", 40)
    opening = {
        "source": "erp", "externalId": "K-1", "company": "华东精密仪器有限公司", "name": "王芳", "phone": "13800138000",
        "needs": "校准服务", "lawfulBasis": "contract", "region": "华东", "ownerId": OWNER,
    }  # fmt: skip
    file = await house.post(OWNER, "customer", "/v1/customers", opening)
    assert (file["lifecycle"], file["provisional"]) == ("active", False), "what was bought before is in the file"
    path = f"/v1/customers/{file['customerId']}"
    await approved(house, path, {"keyMark": True})
    person = {"name": "李敏", "phone": "13900139000", "lawfulBasis": "consent"}
    contact = (await house.post(OWNER, "customer", f"{path}/contacts", person))["contactId"]
    agreed = {"contactId": contact, "purposes": ["survey"], "textVersion": "n-1", "evidence": "签字表"}
    await house.post(OWNER, "customer", f"{path}/consents", agreed)
    return file["customerId"], contact


async def approved(house: House, path: str, change: dict[str, Any]) -> None:
    """A key field changes as the owner asks and the director decides."""
    asked = await house.post(OWNER, "customer", f"{path}/key-changes", change)
    decided = await house.post(DIRECTOR, "customer", f"{path}/key-changes/{asked['requestId']}/decisions", YES, 200)
    assert decided["status"] == "approved"


async def asked_how_it_is(house: House, campaign: str, customer_id: str, contact: str, value: int) -> None:
    """A person at the customer is invited to a campaign, and answers by phone."""
    begun = await house.post(ANALYST, "survey", "/v1/campaigns", {"code": campaign, "questionnaire": "care"})
    place = f"/v1/campaigns/{begun['campaignId']}/invitations"
    invited = await house.post(ANALYST, "survey", place, {"customerId": customer_id, "contactId": contact})
    assert invited["status"] == "planned", invited
    answers = {"campaign": campaign, "customerId": customer_id, "answers": [{"question": "product", "value": value}]}
    await house.post(OWNER, "survey", "/v1/responses", {**answers, "mode": "phone"})


async def put_right(house: House, customer_id: str, contact: str) -> None:
    """A bad answer opens a case, which is worked on, checked by asking once more, and closed."""
    await house.post(ANALYST, "survey", "/v1/questionnaires", {"code": "care", "questions": [SCALE]})
    await asked_how_it_is(house, "spring", customer_id, contact, 1)

    async def complained() -> list[dict[str, Any]]:
        found = await house.get(MANAGER, "feedback", "/v1/cases", customer=customer_id)
        return list(found["cases"])

    (case,) = await eventually(complained, timeout=60)
    assert (case["kind"], case["category"], case["status"]) == ("complaint", "low_score", "received")
    for who, step, body in (
        (MANAGER, "acknowledge", {}),
        (MANAGER, "assign", {"assignee": OWNER}),
        (OWNER, "respond", {"text": "明天上门", "human": True}),
        (OWNER, "resolve", {"solution": "更换探头", "customerNotified": True, "outcome": "replaced"}),
    ):
        await house.post(who, "feedback", f"/v1/cases/{case['caseId']}/{step}", body, 200)
    await asked_how_it_is(house, "once-more", customer_id, contact, 5)
    closed = await house.post(OWNER, "feedback", f"/v1/cases/{case['caseId']}/close", {}, 200)
    assert closed["status"] == "closed"


async def looked_after(house: House, customer_id: str) -> None:
    """A gift with a manager's yes, and a reception that nobody had planned."""
    gift = await house.post(OWNER, "customer", "/v1/gifts", {"customerIds": [customer_id], "amount": 60_000})
    place = f"/v1/gifts/{gift['requestId']}"
    assert gift["waitingFor"] == "manager"
    await house.post(MANAGER, "customer", f"{place}/decisions", YES, 200)
    await house.post(OWNER, "customer", f"{place}/handovers", {"customerId": customer_id}, 200)
    await house.post(FINANCE, "customer", f"{place}/settlement", {"spent": 55_000}, 200)
    came = {"customerId": customer_id, "outcome": "toured", "needs": ["training"], "keyFacts": "关心交期"}
    await house.post(OWNER, "customer", "/v1/visits/unplanned", came)


@pytest.mark.policy("S0-01", "S1-02", "S2-12", "S2-15", "S2-19")
async def test_a_customers_story_is_told_the_same_from_every_side(house: House) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    customer_id, contact = await taken_in(house)
    path = f"/v1/customers/{customer_id}"
    before = datetime.now(UTC).isoformat()
    await put_right(house, customer_id, contact)
    await looked_after(house, customer_id)
    await approved(house, path, {"company": "华北精密仪器有限公司"})
    graded = await house.post(MANAGER, "customer", f"{path}/grade", {"grade": "A", "reason": "战略客户"}, 200)
    assert graded["grade"] == "A"
    await house.ordered("o-2", 1)

    async def heard() -> dict[str, Any] | None:
        view: dict[str, Any] = await house.get(OWNER, "customer", f"{path}/360")
        over = [one["status"] for one in view["cases"]["over"]]
        return view if (len(view["satisfaction"]), over) == (2, ["closed"]) else None

    view = await eventually(heard, timeout=60)
    file = view["file"]
    assert (file["company"], file["grade"], file["keyMark"]) == ("华北精密仪器有限公司", "A", True)
    assert [one["name"] for one in view["contacts"]] == ["李敏"]
    assert [one["answers"][0]["value"] for one in view["satisfaction"]] == [5, 1]
    assert (len(view["purchases"]), view["cases"]["open"]) == (2, [])
    assert [(one["kind"], one["status"], one["spent"]) for one in view["spendings"]] == [("gift", "settled", 55_000)]
    assert [(one["kind"], one["keyFacts"]) for one in view["visits"]] == [("reception", "关心交期")]
    past = await house.get(OWNER, "customer", path, as_of=before)
    assert (past["company"], past.get("grade"), past["keyMark"]) == ("华东精密仪器有限公司", None, True)

    told = (await house.get(OWNER, "customer", f"{path}/timeline", limit="200"))["happened"]
    assert [one["at"] for one in told] == sorted((one["at"] for one in told), reverse=True)
    assert {
        "customer.purchase.recorded", "customer.created", "customer.keychange.decided", "customer.consent.granted",
        "survey.responded", "complaint.opened", "case.resolved", "case.closed", "request.gift.handedover",
        "request.settled", "visit.completed", "customer.graded",
    } <= {one["type"].removeprefix("manyi.").removesuffix(".v1") for one in told}  # fmt: skip

    async def counted() -> bool:
        return await house.numbers() == (2, 1, 2, 1)

    await eventually(counted, timeout=60)
    assert await house.numbers(as_of=yesterday) == (0, 0, 0, 0), "nothing of it was recorded by then"

    certificate = await house.post(DIRECTOR, "customer", f"{path}/erasure", {}, 200)
    assert certificate["customerId"] == customer_id
    gone = await house.get(OWNER, "customer", f"{path}/360")
    assert not {"name", "phone", "company"} & set(gone["file"])
    assert (len(gone["purchases"]), len(gone["satisfaction"])) == (2, 2)
    assert not [word for word in ("王芳", "李敏", "关心交期", "精密") if word in str(gone)]
    assert await house.numbers() == (2, 1, 2, 1), "who is forgotten stays counted"
