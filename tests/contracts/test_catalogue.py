"""The catalogue says what the code does: every event has a speaker that says it and listeners that hear it."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import services
from shared.contracts.catalogue import CATALOGUE, SPEAKERS
from shared.contracts.envelope import Event

ROOT = Path(services.__file__).parent
ALL = frozenset(entry.event for entry in CATALOGUE.values())
SPEAK = ("customer", "survey", "feedback")


def modules(service: str, *rooms: str) -> Iterator[tuple[ModuleType, ast.Module]]:
    """Every module of a service (of the named rooms alone, where some are named) with its syntax tree."""
    folder = ROOT / service
    assert folder.is_dir(), f"services/{service} is missing"
    for path in sorted(folder.rglob("*.py")):
        way = path.relative_to(ROOT.parent).with_suffix("").parts
        if way[-1] != "__main__" and (not rooms or way[2] in rooms):
            yield importlib.import_module(".".join(way).removesuffix(".__init__")), ast.parse(path.read_text())


def meant(node: ast.AST, module: ModuleType) -> frozenset[type[Event]]:
    """The event classes that an expression names: one class, a speaker's SAYS, or the whole catalogue."""
    value = _looked_up(node, module)
    if value is CATALOGUE:
        return ALL
    if isinstance(value, tuple):
        return frozenset(one for one in value if isinstance(one, type)) & ALL
    return frozenset({value}) & ALL if isinstance(value, type) else frozenset()


def _looked_up(node: ast.AST, module: ModuleType) -> Any:
    """What a global name, or a name in an imported module, stands for; None for anything else."""
    if isinstance(node, ast.Name):
        return vars(module).get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _looked_up(node.value, module)
        return getattr(owner, node.attr, None) if isinstance(owner, ModuleType) else None
    return None


def named(tree: ast.AST, module: ModuleType) -> frozenset[type[Event]]:
    """Every event class named anywhere below."""
    return frozenset().union(*(meant(node, module) for node in ast.walk(tree)))


def constructed(tree: ast.AST, module: ModuleType) -> frozenset[type[Event]]:
    """Event classes used as values: called, or kept to be called; not where a rule only recognises them."""
    found: frozenset[type[Event]] = frozenset()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.pattern | ast.arg) or _recognises(node):
            continue
        found |= meant(node, module) | constructed(_without_annotations(node), module)
    return found


def _recognises(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr == "TYPE"
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "cast")


def _without_annotations(node: ast.AST) -> ast.AST:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return ast.Module(body=node.body, type_ignores=[])
    if isinstance(node, ast.AnnAssign):
        return ast.Module(body=[ast.Expr(node.value)] if node.value else [], type_ignores=[])
    return node


def said_by(service: str) -> frozenset[type[Event]]:
    """What the rules of a service say."""
    return frozenset().union(*(constructed(tree, module) for module, tree in modules(service, "model", "model.py")))


def heard_by(service: str) -> frozenset[type[Event]]:
    """What a service names of other speakers' events, outside its rules."""
    speakers = {entry.event: entry.speaker for entry in CATALOGUE.values()}
    found = frozenset().union(*(named(tree, module) for module, tree in modules(service)))
    return frozenset(event for event in found if speakers[event] != service)


@pytest.mark.parametrize("service", SPEAKERS)
def test_a_service_says_what_the_catalogue_says_it_says(service: str) -> None:
    said = said_by(service) if service in SPEAK else frozenset()
    expected = {entry.event for entry in CATALOGUE.values() if entry.speaker == service}
    assert names(said) == names(expected), f"catalogue and services/{service}/model disagree about what is said"


@pytest.mark.parametrize("service", SPEAKERS)
def test_a_service_hears_what_the_catalogue_says_it_hears(service: str) -> None:
    expected = {entry.event for entry in CATALOGUE.values() if service in entry.listeners}
    assert names(heard_by(service)) == names(expected), f"catalogue and services/{service} disagree about what is heard"


def names(events: Any) -> list[str]:
    return sorted(event.TYPE for event in events)


SAMPLE = """
from shared.contracts import customer as told
from shared.contracts.survey import SurveyResponded
from shared.contracts.decision import Said
KINDS = {"a": told.PurchasePaid}
TABLE = {told.PurchaseCancelled: "cancelled"}
def rule(state: told.CustomerUpdated | None) -> told.ContractEnded:
    local: SurveyResponded | None = None
    match state:
        case told.ContractSigned():
            return Said(told.CustomerCreated(customer_id="c", code="C"), state)
    if isinstance(state, told.ContactAdded) or state.type == told.ContactChanged.TYPE:
        return KINDS["a"]
"""


def test_the_walk_tells_saying_from_recognising() -> None:
    module = ModuleType("sample")
    exec(SAMPLE, vars(module))  # noqa: S102 - the text above
    tree = ast.parse(SAMPLE)
    assert sorted(event.__name__ for event in constructed(tree, module)) == [
        "CustomerCreated",
        "PurchaseCancelled",
        "PurchasePaid",
    ]
    assert len(named(tree, module)) == 9
    whole = "from shared.contracts import survey\nfrom shared.contracts.catalogue import CATALOGUE\nsurvey.SAYS\n"
    exec(whole, vars(module))  # noqa: S102 - the text above
    assert len(named(ast.parse(whole), module)) == 4
    assert named(ast.parse("CATALOGUE.values()"), module) == ALL
