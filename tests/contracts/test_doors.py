"""Every route of every service says what permission it takes, and says so in its OpenAPI document; one that does not is
closed."""

import importlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from pymongo import AsyncMongoClient

from shared.contracts.catalogue import SPEAKERS
from shared.plumbing.access import Permit, allowed
from shared.plumbing.access.doors import Door, OpenDoor, declared
from shared.plumbing.app import Service
from shared.plumbing.serving import application, refuse_open_doors
from shared.plumbing.settings import Settings
from shared.policy.permission.decision import Facts
from shared.policy.shelf import read_roles
from tests.support.issuer import Issuer

OPEN = {"/livez", "/readyz", "/asyncapi.json"}
"""What needs no token: whether the process lives, and what it speaks."""
WITHOUT_DATA = {"/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect", "/static-offline-docs"}


def settings(folder: Path, **more: str) -> Settings:
    keys = folder / "keys.json"
    keys.write_text(json.dumps({"installation_key": "00" * 32, "master_key": "11" * 32}))
    return Settings(keys_file=keys, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SPEAKERS)
async def test_every_route_declares_an_action_of_the_roles_table(name: str, tmp_path: Path) -> None:
    service = importlib.import_module(f"services.{name}.main").build(settings(tmp_path))
    try:
        app = application(service)
        actions = {action: one.kind for version in read_roles().versions for action, one in version.actions.items()}
        walked = 0
        for route in app.routes:
            if getattr(route, "path", "") in WITHOUT_DATA:
                continue
            assert isinstance(route, APIRoute), route
            walked += 1
            door = declared(route)
            methods = route.methods or set()
            where = f"{', '.join(methods)} {route.path} of {name}"
            assert door is not None, f'{where} declares no action: add dependencies=[allowed("…")] to its decorator'
            if isinstance(door, OpenDoor):
                assert route.path in OPEN, f"{where} is open to everyone"
                continue
            assert door.action in actions, f"{where}: {door.action} is not in shared/policy/permission/roles.yaml"
            reads = methods <= {"GET", "HEAD"}
            assert (actions[door.action] == "read") is reads, f"{where}: {door.action} is no action of that kind"
        assert walked >= 7
    finally:
        await service.client.close()


@pytest.mark.parametrize("name", SPEAKERS)
async def test_no_route_reads_a_request_before_it_knows_who_asks(name: str, tmp_path: Path) -> None:
    issuer = Issuer(tmp_path)
    service = importlib.import_module(f"services.{name}.main").build(settings(tmp_path, **issuer.settings()))
    try:
        app = application(service)
        answers: dict[str, int] = {}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as asking:
            for route in app.routes:
                if isinstance(route, APIRoute) and route.path not in OPEN | WITHOUT_DATA:
                    for method in route.methods or ():
                        answer = await asking.request(method, route.path, content=b"?", params={"limit": "many"})
                        answers[f"{method} {route.path}"] = answer.status_code
        assert len(answers) >= 4
        assert {where: status for where, status in answers.items() if status != 401} == {}
    finally:
        await service.client.close()


@pytest.mark.policy("S0-37")
@pytest.mark.parametrize(("name", "about", "least"), [("customer", "{customer_id}", 20), ("feedback", "{case_id}", 2)])
async def test_every_reading_about_one_customer_or_case_is_logged(
    name: str, about: str, least: int, tmp_path: Path
) -> None:
    service = importlib.import_module(f"services.{name}.main").build(settings(tmp_path))
    try:
        logged = {action for version in read_roles().versions for action, one in version.actions.items() if one.logged}
        walked = [one for one in application(service).routes if isinstance(one, APIRoute) and about in one.path]
        reading = {one.path: declared(one) for one in walked if one.methods == {"GET"}}
        assert len(reading) >= least
        assert [path for path, door in reading.items() if door is None or door.action not in logged] == []
    finally:
        await service.client.close()


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Issuer]]:
    """An application with a few odd routes, never started, whose callers need a token."""
    router = APIRouter()

    @router.get("/forgotten")
    async def forgotten() -> str:
        return "secret"

    @router.get("/whole", dependencies=[allowed("customer.read")])
    async def whole() -> str:
        return "all files"

    @router.get("/unasked", dependencies=[allowed("customer.read", rows=True)])
    async def unasked() -> str:
        return "a row nobody asked about"

    @router.post("/unread", dependencies=[allowed("customer.create")])
    async def unread(body: dict[str, int], limit: int) -> str:
        return "written"

    @router.get("/row")
    async def row(permit: Annotated[Permit, allowed("customer.read", rows=True)]) -> str:
        return permit.on(Facts("c1", frozenset({"u-1"})))

    issuer = Issuer(tmp_path)
    mongo: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(connect=False)
    service = Service("customer", settings(tmp_path, **issuer.settings()), mongo, mongo["x"], routers=[router])
    transport = httpx.ASGITransport(application(service))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as asking:
        yield asking, issuer
    await mongo.close()


Client = tuple[httpx.AsyncClient, Issuer]


async def status(client: Client, path: str, *roles: str, sub: str = "u-1") -> int:
    asking, issuer = client
    return (await asking.get(path, headers=issuer.bearer(sub, *roles))).status_code


async def test_without_a_token_only_life_signs_answer(client: Client) -> None:
    asking, _ = client
    for path in ("/v1/health", "/metrics", "/row", "/forgotten"):
        answer = await asking.get(path)
        assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthenticated")
        assert answer.headers["www-authenticate"] == 'Bearer realm="manyi"'
        assert "Authorization: Bearer" in answer.json()["detail"]
    assert (await asking.get("/livez")).status_code == 200
    for path in ("/asyncapi.json", "/docs", "/openapi.json"):
        assert (await asking.get(path)).status_code == 200
    wrong = await asking.get("/row", headers={"Authorization": "Bearer a.b.c"})
    assert wrong.status_code == 401
    assert 'error="invalid_token"' in wrong.headers["www-authenticate"]
    assert (await asking.get("/row", headers={"Authorization": "Basic YTpi"})).status_code == 401


async def test_a_route_that_declares_nothing_is_closed_to_every_role(client: Client) -> None:
    assert await status(client, "/forgotten", *read_roles().versions[0].roles) == 403


async def test_a_route_that_does_not_look_at_rows_serves_only_who_sees_all_of_them_in_full(client: Client) -> None:
    assert await status(client, "/whole", "director") == 200
    for role in ("specialist", "analyst", "marketing", "finance"):
        assert await status(client, "/whole", role) == 403


async def test_a_route_that_forgets_to_ask_about_its_rows_shows_nothing(client: Client) -> None:
    assert await status(client, "/unasked", "director") == 403


async def test_who_may_not_do_it_is_not_told_what_a_request_would_have_to_say(client: Client) -> None:
    asking, issuer = client
    for role, expected in (("analyst", 403), ("director", 422)):
        assert (await asking.post("/unread", json=[], headers=issuer.bearer("u-1", role))).status_code == expected


async def test_a_route_that_can_declare_nothing_is_not_served(tmp_path: Path) -> None:
    mongo: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(connect=False)
    inner, outer = APIRouter(), APIRouter()
    outer.include_router(inner)
    with pytest.raises(TypeError, match="give each router"):
        application(Service("customer", settings(tmp_path), mongo, mongo["x"], routers=[outer]))
    await mongo.close()


async def test_a_denial_names_the_permission_and_what_to_do(client: Client) -> None:
    asking, issuer = client
    assert (await asking.get("/row", headers=issuer.bearer("u-1", "specialist"))).json() == "full"
    assert (await asking.get("/row", headers=issuer.bearer("u-2", "analyst"))).json() == "masked"
    for roles, reason in ((["specialist"], "out-of-scope"), (["finance"], "no-permission"), ([], "no-permission")):
        denied = (await asking.get("/row", headers=issuer.bearer("u-2", *roles))).json()
        assert (denied["status"], denied["permission"], denied["reason"]) == (403, "customer.read", reason)
        assert "ask" in denied["detail"]


async def test_while_the_issuer_cannot_be_read_nobody_is_let_in(client: Client) -> None:
    asking, issuer = client
    issuer.jwks.unlink()
    answer = await asking.get("/row", headers=issuer.bearer("u-1", "director"))
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/issuer-unavailable")


def test_beyond_this_machine_nobody_listens_without_authentication(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path)
    with pytest.raises(SystemExit, match="MANYI_JWKS"):
        refuse_open_doors(Settings(host="0.0.0.0"))  # noqa: S104 - refused
    refuse_open_doors(Settings(host="127.0.0.1"))
    refuse_open_doors(Settings(host="0.0.0.0", **issuer.settings()))  # type: ignore[arg-type] # noqa: S104
    with pytest.raises(ValueError, match="belong together"):
        Settings(oidc_issuer="https://issuer.example")


def test_a_door_is_told_apart_from_other_dependencies() -> None:
    assert isinstance(allowed("a.b").dependency, Door)
    assert declared(object()) is None
