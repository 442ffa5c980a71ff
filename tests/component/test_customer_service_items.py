"""The services we offer over HTTP: launched once, weighed by a day, retired for a reason, replaced by new ones."""

from pathlib import Path
from typing import Any

import pytest

from services.customer.desk import Desk
from services.customer.main import build
from shared.plumbing.speaking import Speaking
from shared.policy.calendar.reckoning import months_later
from tests.support.service import running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack


@pytest.mark.policy("S3-18")
async def test_services_are_launched_weighed_retired_and_replaced(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    settings = settings_for(stack, namespace, tmp_path)
    async with running(build, settings) as customer:

        async def post(path: str, body: dict[str, Any], status: int) -> dict[str, Any]:
            answer = await customer.client.post(f"/v1/service-items{path}", json=body)
            assert answer.status_code == status, answer.text
            shown: dict[str, Any] = answer.json()
            return shown

        async def listed(**query: Any) -> list[str]:
            found = (await customer.client.get("/v1/service-items", params=query)).json()
            return [one["code"] for one in found]

        speaking = Speaking("customer", settings)
        desk = Desk(speaking.identity, settings.read_policies(), settings.local_zone, speaking.clock)
        old = await post("", {"code": "phone-help", "title": "电话指导"}, 201)
        assert (old["status"], old["title"], old["overdue"]) == ("offered", "电话指导", False)
        assert old["reviewOn"] == months_later(desk.today(), 6).isoformat(), "service_item.review.every"
        assert (await post("", {"code": "phone-help", "title": "x"}, 409))["type"] == "/problems/service-item-known"
        place = f"/{old['itemId']}"
        assert (await post(f"{place}/scores", {"score": 41}, 200))["score"] == 41
        assert (await post(f"{place}/scores", {"score": 101}, 422))["status"] == 422
        items = customer.service.database["service_items"]
        await items.update_one({"_id": old["itemId"]}, {"$set": {"review_on": "2026-01-01"}})
        assert await listed(due=True) == ["phone-help"]
        over = await post(f"{place}/retirement", {"reason": "low_score"}, 200)
        assert (over["status"], over["reason"], "reviewOn" in over) == ("retired", "low_score", False)
        refused = await post(f"{place}/scores", {"score": 60}, 409)
        assert refused["type"] == "/problems/service-item-retired"
        new = await post("", {"code": "video-help", "title": "视频指导", "replaces": old["itemId"]}, 201)
        assert new["replaces"] == old["itemId"]
        assert (await listed(), await listed(status="retired"), await listed(due=True)) == (
            ["video-help"],
            ["phone-help"],
            [],
        )
        missing = await post(f"/{'0' * 32}/retirement", {"reason": "x"}, 404)
        assert missing["type"] == "/problems/service-item-unknown"
        assert "电话指导" not in str(await items.find().to_list())
        await speaking.client.close()
