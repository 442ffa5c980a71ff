"""Every answer of every service is one that its OpenAPI document promises, whatever is asked; and none is a 5xx."""

import asyncio
import importlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from fastapi import FastAPI, Response
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.specs.openapi.schemas import OpenApiSchema

from shared.contracts.catalogue import SPEAKERS
from shared.plumbing.serving import application
from tests.support.customers import wang
from tests.support.service import running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ENDLESS = "/v1/stream"
"""Answers until the asker leaves; tests/component/test_stream.py is about it."""
EXAMPLES = {GenerationMode.POSITIVE: 4, GenerationMode.NEGATIVE: 2}
SEED = 20261123


def asked(schema: OpenApiSchema) -> Iterator[Any]:
    """Requests of every kind to every operation, the same ones at each run."""
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if operation.path == ENDLESS:
            continue
        for mode, examples in EXAMPLES.items():
            yield from drawn(operation.as_strategy(generation_mode=mode), examples)


def drawn(strategy: Any, examples: int) -> list[Any]:
    """Nothing where there is nothing to get wrong."""
    cases: list[Any] = []

    @seed(SEED)
    @settings(
        max_examples=examples,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def keep(case: Any) -> None:
        cases.append(case)

    try:
        keep()
    except Unsatisfiable:
        return []
    return cases


def known(service: str, url: str, session: requests.Session) -> dict[str, str]:
    """Path parameters that name something, so that not every answer is a 404."""
    if service == "customer":
        opened = session.post(f"{url}/v1/customers", json=wang(), timeout=30)
        return {"customer_id": opened.json()["customerId"]}
    if service == "feedback":
        opened = session.post(f"{url}/v1/cases", json={"kind": "complaint", "channel": "phone"}, timeout=30)
        return {"case_id": opened.json()["caseId"]}
    return {}


def broken_promises(cases: Iterable[Any], call: Callable[[Any], Any]) -> Iterator[str]:
    """What was asked and what came, wherever that is not in the document."""
    for case in cases:
        response = call(case)
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as failures:
            came = f"{case.as_curl_command()}\n{response.status_code} {response.text[:300]}"
            yield from (f"{case.operation.label}: {one}\n{came}" for one in failures.exceptions)


def ask_all(service: str, url: str, cases: Iterable[Any]) -> list[str]:
    """Every broken promise of a running service."""
    with requests.Session() as session:
        names = known(service, url, session)

        def call(case: Any) -> Any:
            for name in set(names) & set(case.path_parameters or {}):
                case.path_parameters[name] = names[name]
            return case.call(base_url=url, session=session, timeout=60)

        return list(broken_promises(cases, call))


@pytest.mark.parametrize("service", SPEAKERS)
async def test_no_answer_that_is_not_promised(
    service: str, stack: RealStack, namespace: Namespace, tmp_path: Path
) -> None:
    build = importlib.import_module(f"services.{service}.main").build
    own = settings_for(stack, namespace, tmp_path)
    described = build(own)
    # Drawn before anything runs beside: what Hypothesis draws hangs on the state of the process.
    cases = list(asked(schemathesis.openapi.from_dict(application(described).openapi())))
    await described.client.close()
    async with running(build, own) as started:
        broken = await asyncio.to_thread(ask_all, service, started.url, cases)
    assert not broken, "\n\n".join(broken)


def test_a_broken_promise_is_noticed() -> None:
    app = FastAPI()

    @app.get("/promised")
    def promised() -> Response:
        return Response(status_code=418)

    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    assert "418" in "".join(broken_promises(asked(schema), lambda case: case.call()))
