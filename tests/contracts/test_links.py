"""What the documents name is there: files, headings, commands with their options, and routes."""

import importlib
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from deploy.cli.__main__ import PASS_ON, door
from deploy.local.places import ROOT
from shared.contracts.catalogue import SPEAKERS
from shared.plumbing.serving import application
from shared.plumbing.settings import Settings

ROOMS = ("docs", "services", "shared", "deploy", "tests")
PAGES = sorted([*ROOT.glob("*.md"), *(page for room in ROOMS for page in (ROOT / room).rglob("*.md"))])
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
OURS = re.compile(rf"(?:{'|'.join(ROOMS)})/[\w./-]+\.[a-z]+")
ROUTE = re.compile(r"(?:(GET|POST|PUT|PATCH|DELETE) )?(/v1/[\w{}/-]*\w}?)")


def anchors(page: Path) -> set[str]:
    """The names by which the headings of a page are linked to."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def spans(text: str) -> list[str]:
    """What stands between backticks, line breaks taken out."""
    return [" ".join(span.split()) for span in SPAN.findall(FENCE.sub("", text))]


def commands(text: str) -> Iterator[list[str]]:
    """The words after each `manyi`, in spans and in blocks, without what a shell would not hand over."""
    blocks = [line for block in FENCE.findall(text) for line in block.splitlines()]
    for line in [*spans(text), *blocks]:
        if found := re.match(r"(?:\./)?manyi (.+)", line):
            words = shlex.split(found[1], comments=True)
            yield words[: next((n for n, word in enumerate(words) if word in (">", "|", "…")), len(words))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = [span for span in spans(text) if OURS.fullmatch(span) and not (ROOT / span).exists()]
    for link in LINK.findall(FENCE.sub("", text)):
        place, _, anchor = link.partition("#")
        if "://" in place:
            continue
        target = (page.parent / place).resolve() if place else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            missing.append(link)
    assert missing == []


@pytest.fixture(scope="module")
def manyi() -> TyperGroup:
    """The door with all its commands."""
    found = get_command(door())
    assert isinstance(found, TyperGroup)
    return found


def unknown(words: list[str], group: TyperGroup) -> list[str]:
    """Commands and options among the words that are not there."""
    name, *rest = words
    command = group.commands.get(name)
    if name == "--help":
        return []
    if command is None:
        return [name]
    if isinstance(command, TyperGroup) and rest and rest[0].islower() and not rest[0].startswith("-"):
        return unknown(rest, command)
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    given = {word.partition("=")[0] for word in rest if word.startswith("-")}
    return [] if name in PASS_ON else sorted(given - known)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_options_exist(page: Path, manyi: TyperGroup) -> None:
    named = list(commands(page.read_text(encoding="utf-8")))
    assert [(words, wrong) for words in named if words and (wrong := unknown(words, manyi))] == []


def test_the_front_pages_name_every_command(manyi: TyperGroup) -> None:
    for page in ("README.md", "README.zh-CN.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        told = {words[0] for words in commands(text)} | set(spans(text))
        assert sorted(manyi.commands.keys() - told) == [], page


def is_there(method: str, steps: list[str], routes: set[tuple[str, str]]) -> bool:
    """Whether a route has this method, if one is named, and these steps; a place for an id takes anything."""
    return any(
        method in ("", offered)
        and len(steps) == len(path.split("/"))
        and all(have.startswith("{") or have == step for step, have in zip(steps, path.split("/"), strict=True))
        for offered, path in routes
    )


async def test_routes_exist(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"installation_key": "00" * 32, "master_key": "11" * 32}))
    routes: set[tuple[str, str]] = set()
    for name in SPEAKERS:
        service = importlib.import_module(f"services.{name}.main").build(Settings(keys_file=keys))
        paths = application(service).openapi()["paths"]
        routes |= {(method.upper(), path) for path, item in paths.items() for method in item}
        await service.client.close()
    missing = [
        f"{page.relative_to(ROOT)}: {method} {path}"
        for page in PAGES
        for method, path in ROUTE.findall(page.read_text(encoding="utf-8"))
        if not is_there(method, path.split("/"), routes)
    ]
    assert missing == []
