"""The worked examples in the READMEs are so: asked of the real thing, it answers what is shown there."""

import importlib
import json
import re
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.places import ROOT
from shared.contracts.catalogue import SPEAKERS
from shared.contracts.survey import Answer, SurveyResponded
from tests.support.eventually import eventually
from tests.support.service import running, settings_for
from tests.support.stack import Namespace, RealStack
from tests.support.telling import Teller
from tests.support.topics import write

pytestmark = pytest.mark.stack
EXAMPLE = re.compile(
    r"^```http\n([A-Z]+) (\S+)\n((?:[\w-]+: [^\n]+\n)*)(.*?)\n?\nHTTP/1\.1 (\d+) \w+\n(.*?)^```",
    re.MULTILINE | re.DOTALL,
)
PAGES = {name: [f"services/{name}/README.md"] for name in SPEAKERS}
PAGES["customer"].append("README.md")
ANYTHING = "…"


@dataclass(frozen=True)
class Example:
    """One request, and the answer that a page shows."""

    method: str
    path: str
    headers: str
    body: str
    status: str
    answer: str

    async def is_so(self, client: httpx.AsyncClient) -> bool:
        """Ask; raises AssertionError for another answer."""
        headers = dict(line.split(": ", 1) for line in ["Content-Type: application/json", *self.headers.splitlines()])
        came = await client.request(self.method, self.path, content=self.body, headers=headers)
        assert came.status_code == int(self.status), came.text
        assert fits(json.loads(self.answer), came.json()), came.text
        return True


def fits(shown: Any, came: Any) -> bool:
    """Whether this came; `…` stands for any value, and as the name of a member for any others."""
    if isinstance(shown, dict) and isinstance(came, dict):
        named = shown.keys() - {ANYTHING}
        all_named = named <= came.keys() if ANYTHING in shown else named == came.keys()
        return all_named and all(fits(shown[name], came[name]) for name in named)
    if isinstance(shown, list) and isinstance(came, list):
        return len(shown) == len(came) and all(map(fits, shown, came))
    return shown in (ANYTHING, came)


async def tell_an_answer(stack: RealStack, namespace: Namespace) -> None:
    """What the example of reporting has heard."""
    answer = Answer(question="overall", metric="csat", value=4, scale=(1, 5))
    said = SurveyResponded(response_id="r1", answers=[answer], index=800_000, dims={"region": "华东"})
    await write(stack.kafka, f"{namespace.topic_prefix}survey-events", [(b"r1", Teller().tell("r1", said))])


@pytest.mark.parametrize("name", SPEAKERS)
async def test_the_examples_of_a_service_are_so(
    name: str, stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    pages = [(ROOT / page).read_text(encoding="utf-8") for page in PAGES[name]]
    examples = [[Example(*found) for found in EXAMPLE.findall(page)] for page in pages]
    assert all(examples)
    if name == "reporting":
        await tell_an_answer(stack, namespace)
    build = importlib.import_module(f"services.{name}.main").build
    async with running(build, settings_for(stack, namespace, tmp_path)) as service:
        for example in chain.from_iterable(examples):
            asking = partial(example.is_so, service.client)
            await (eventually(asking, 30) if example.method == "GET" else asking())
