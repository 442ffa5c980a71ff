"""A question that a visit leaves open becomes one inquiry, however often the visit is told."""

import json
from pathlib import Path
from typing import Any

import pytest

import shared.contracts
from services.feedback.main import build
from tests.support.eventually import eventually
from tests.support.service import running, settings_for
from tests.support.stack import Namespace, RealStack
from tests.support.topics import write

pytestmark = pytest.mark.stack
EXAMPLE = Path(shared.contracts.__file__).parent / "examples" / "visit.completed.v1.json"


def completed(visit: str, **more: Any) -> tuple[bytes, dict[str, Any]]:
    """A record of the customer service: key and event."""
    told = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    data = {**told["data"], "visitId": visit, **more}
    return told["partitionkey"].encode(), {**told, "id": f"e-{visit}", "subject": visit, "data": data}


@pytest.mark.policy("S1-08")
async def test_a_visit_with_an_open_question_opens_one_inquiry(
    stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    async with running(build, settings_for(stack, namespace, tmp_path)) as feedback:
        asking, last = completed("v1"), completed("v3", inquiry="training", kind="reception")
        await write(
            stack.kafka,
            f"{namespace.topic_prefix}customer-events",
            [asking, completed("v2", inquiry=None), asking, last],
        )

        async def both() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = (await feedback.client.get("/v1/cases")).json()["cases"]
            assert "training" in [case["category"] for case in found]
            return found

        cases = await eventually(both, timeout=40)
        assert {(case["kind"], case["category"], case["channel"]) for case in cases} == {
            ("inquiry", "delivery", "visit"),
            ("inquiry", "training", "reception"),
        }
        assert len(cases) == 2
        assert cases[0]["customerId"] == asking[1]["data"]["customerId"]
