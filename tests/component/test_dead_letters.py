"""Dead letters and what waits, as an operator meets them: in the terminal, in health, readiness and metrics."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.local.state import SystemState, exclusive
from services.customer.main import build
from tests.support.eventually import eventually
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack
from tests.support.topics import write

pytestmark = pytest.mark.stack
CANARY = "canary-4417"
HEAD = {"specversion": "1.0", "source": "shop", "time": "2026-03-01T10:00:00Z"}


async def said(*words: str, refused: bool = False) -> str:
    """What a command prints, as a program of its own; on stderr if it is to be refused."""
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.cli", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await program.communicate()
    assert program.returncode == int(refused), err.decode()
    return (err if refused else out).decode()


async def test_dead_letters_in_the_terminal(stack: RealStack, namespace: Namespace, tmp_path: Path) -> None:
    poison = {**HEAD, "id": "p", "type": "order.teleported", "data": {"customer": CANARY}}
    early = {**HEAD, "id": "c", "type": "order.cancelled", "data": {"customer": "k", "order": "o9"}}
    topic = f"{namespace.topic_prefix}customer-intake"
    here = ("--data", str(tmp_path / "data"))
    async with running(build, settings_for(stack, namespace, tmp_path)) as customer:
        with exclusive(tmp_path / "data"):
            where = {"customer": customer.url}
            SystemState(os.getpid(), here[1], stack.kafka, stack.mongo, where, {"customer": where}).write()
            await write(stack.kafka, topic, [(b"k", poison), (b"k", early)])
            await eventually(lambda: shown_waiting(customer), timeout=40)

            listed = json.loads(await said("dead-letters", "list", "--json", *here))
            (letter,) = listed["letters"]
            assert (letter["topic"], letter["subscriber"]) == (topic, "customer-intake")
            assert "order.teleported" in letter["reason"]
            at = f"/v1/dead-letters/{letter['id']}"
            assert CANARY not in json.dumps(listed) + (await customer.client.get(at)).text
            assert CANARY in (await customer.client.get(at, params={"payload": "true"})).text
            again = await said("dead-letters", "retry", "--all", *here, refused=True)
            assert "1 of 1 were rejected again" in again
            unknown = await customer.client.post(f"{at}9/retry")
            assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/unknown-dead-letter")

            name = f"customer:{letter['id']}"
            assert "discarded" in await said("dead-letters", "discard", name, "--reason", "no such order", *here)
            assert (await customer.client.get("/v1/dead-letters")).json()["total"] == 0
            assert (await customer.client.get(at)).json()["why"] == "no such order"
            assert "payload is gone" in (await customer.client.post(f"{at}/retry")).json()["detail"]
            (kept,) = (await customer.client.get("/v1/dead-letters?settled=true")).json()["letters"]
            assert (kept["state"], kept["by"]) == ("discarded", "local")

            status: dict[str, Any] = json.loads(await said("status", "--json", *here))
            assert (status["dead_letters"], status["early"]) == (0, 1)
            assert [(one["service"], one["state"], one["type"]) for one in status["waiting"]] == [
                ("customer", "early", "order.cancelled")
            ]


async def shown_waiting(customer: Running) -> bool:
    """Readiness and metrics name the dead letter and the early record."""
    ready = (await customer.client.get("/readyz")).json()
    assert ready["set_aside"] == {"dead_letters": 1, "parked": 0, "early": 1}
    metrics = (await customer.client.get("/metrics")).text
    assert 'manyi_set_aside{state="dead_letters"} 1.0' in metrics
    assert 'manyi_set_aside{state="early"} 1.0' in metrics
    return True
