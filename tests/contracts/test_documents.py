"""What each service says of itself: its AsyncAPI and OpenAPI documents, and pages that need no foreign host."""

import importlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from pydantic import BaseModel

from shared.contracts.catalogue import CATALOGUE, SPEAKERS, events_topic
from shared.contracts.intake import CUSTOMER_INTAKE, FEEDBACK_INTAKE, SURVEY_INTAKE
from shared.plumbing.serving import application
from shared.plumbing.settings import Settings

SCHEMA = json.loads((Path(__file__).parent / "asyncapi" / "3.0.0.json").read_text())
INTAKE = {"customer": CUSTOMER_INTAKE, "survey": SURVEY_INTAKE, "feedback": FEEDBACK_INTAKE, "reporting": ()}
VALIDATOR = jsonschema.Draft202012Validator
NO_PROBLEMS = {"/livez", "/readyz", "/v1/health", "/asyncapi.json"}


@pytest.fixture(params=SPEAKERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def asked(name: str, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The service answering without being started: it describes itself before it reaches any database."""
    keys = folder / "keys.json"
    keys.write_text(json.dumps({"installation_key": "00" * 32, "master_key": "11" * 32}))
    service = importlib.import_module(f"services.{name}.main").build(Settings(keys_file=keys, topic_prefix="manyi-"))
    try:
        transport = httpx.ASGITransport(application(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            yield client
    finally:
        await service.client.close()


async def document(name: str, folder: Path, path: str) -> dict[str, Any]:
    async with asked(name, folder) as client:
        content: dict[str, Any] = (await client.get(path)).json()
    return content


def resolved(reference: dict[str, str], within: dict[str, Any]) -> Any:
    found: Any = within
    for step in reference["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


async def test_the_asyncapi_document_is_valid(name: str, tmp_path: Path) -> None:
    told = await document(name, tmp_path, "/asyncapi.json")
    validator = jsonschema.validators.validator_for(SCHEMA)(SCHEMA)
    assert [error.message[:300] for error in validator.iter_errors(told)] == []
    for reference in re.findall(r'"\$ref": "([^"]+)"', json.dumps(told)):
        assert resolved({"$ref": reference}, told), reference


async def test_the_asyncapi_document_shows_all_that_is_said_and_heard(name: str, tmp_path: Path) -> None:
    told = await document(name, tmp_path, "/asyncapi.json")
    spoken: dict[str, dict[str, set[str]]] = {"send": {}, "receive": {}}
    for operation in told["operations"].values():
        channel = resolved(operation["channel"], told)
        wires = {reference["$ref"].rsplit("/", 1)[1] for reference in operation["messages"]}
        assert set(channel["messages"]) == wires
        spoken[operation["action"]].setdefault(channel["address"], set()).update(wires)
    said = {wire for wire, entry in CATALOGUE.items() if entry.speaker == name}
    assert spoken["send"] == ({events_topic("manyi-", name): said} if said else {})
    heard = {f"manyi-{name}-intake": {model.TYPE for model in INTAKE[name]}} if INTAKE[name] else {}
    for wire, entry in CATALOGUE.items():
        if name in entry.listeners:
            heard.setdefault(events_topic("manyi-", entry.speaker), set()).add(wire)
    assert spoken["receive"] == heard


async def test_every_message_has_the_schema_of_its_own_data(name: str, tmp_path: Path) -> None:
    told = await document(name, tmp_path, "/asyncapi.json")
    models: dict[str, type[BaseModel]] = {model.TYPE: model for models in INTAKE.values() for model in models}
    models.update({wire: entry.event for wire, entry in CATALOGUE.items()})
    for wire, message in told["components"]["messages"].items():
        frame, own = message["payload"]["allOf"]
        assert resolved(frame, told)["title"] in ("Envelope", "CloudEvent")
        data = resolved(own["properties"]["data"], told)
        assert set(data["properties"]) == set(models[wire].model_json_schema()["properties"])
        assert message["summary"]


async def test_every_route_is_described_with_its_problems(name: str, tmp_path: Path) -> None:
    told = await document(name, tmp_path, "/openapi.json")
    operations = [(path, operation) for path, item in told["paths"].items() for operation in item.values()]
    identifiers = [operation["operationId"] for _, operation in operations]
    assert len(set(identifiers)) == len(identifiers)
    told_apart_by_module = [schema for schema in told["components"]["schemas"] if "__" in schema]
    assert told_apart_by_module == [], "two bodies of one name: callers should not see where our code stands"
    for path, operation in operations:
        assert operation["summary"], path
        assert operation["tags"], path
        assert re.fullmatch(r"[a-z0-9_]+", operation["operationId"])
        refused = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        if path not in NO_PROBLEMS:
            assert {"404", "422", "503"} <= set(refused), path
            assert operation["responses"].keys() & {"200", "201", "202", "204"}, path
            for status, answer in refused.items():
                assert set(answer["content"]) == {"application/problem+json"}, f"{path} {status}"
                assert answer["content"]["application/problem+json"]["schema"]["title"] == "ProblemDocument"


async def test_examples_are_what_their_schema_allows(name: str, tmp_path: Path) -> None:
    told = await document(name, tmp_path, "/openapi.json")
    shown = [
        (f"{title}.{field}", example, {**schema, "components": told["components"]})
        for title, whole in told["components"]["schemas"].items()
        for field, schema in whole.get("properties", {}).items()
        for example in schema.get("examples", [])
    ]
    wrong = {place: example for place, example, schema in shown if not VALIDATOR(schema).is_valid(example)}
    assert wrong == {}


async def test_ids_of_operations_and_schemas_are_the_same_in_every_start(name: str, tmp_path: Path) -> None:
    for path in ("/openapi.json", "/asyncapi.json"):
        assert json.dumps(await document(name, tmp_path, path)) == json.dumps(await document(name, tmp_path, path))


async def test_the_documentation_pages_need_no_foreign_host(name: str, tmp_path: Path) -> None:
    async with asked(name, tmp_path) as client:
        for page in ("/docs", "/redoc"):
            answer = await client.get(page)
            assert answer.status_code == 200
            found = re.findall(r"""(?:src|href|url)\s*[=:]\s*["']?((?:https?:)?//[^"'\s>]+)""", answer.text)
            assert [address for address in found if not address.startswith("http://here")] == []
            for asset in re.findall(r"""(?:src|href)\s*=\s*["'](/[^"'>]+)["']""", answer.text):
                assert (await client.get(asset)).status_code == 200, asset
