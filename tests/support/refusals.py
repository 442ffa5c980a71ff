"""Every refusal that is written down in the program: its class, slug and status, and the sentence it is raised with.

Read from the source, so that one which no test provokes is looked at too. What is put into a sentence stands as {}.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from deploy.local.places import ROOT

ROOMS = ("services", "shared")
KINDS = ("Refusal", "TooEarly", "Malformed")
"""What is answered as a problem document (shared/plumbing/problems.py), beside Problem itself."""
Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Module


@dataclass(frozen=True)
class Raised:
    """One place where somebody is refused; `sentence` None: it is not written at this place, nor just before it."""

    kind: str
    where: str
    sentence: str | None


@dataclass(frozen=True)
class Kind:
    """One class of refusals, or None for what it takes over from the classes it stands on."""

    name: str
    where: str
    stands_on: tuple[str, ...]
    slug: str | None
    status: int | None
    own_sentence: str | None
    """The one that its constructor writes around what it is raised with."""


@cache
def _trees() -> dict[str, ast.Module]:
    files = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in files}


@cache
def kinds() -> dict[str, Kind]:
    """Every class of refusals by its name, those that others stand on too."""
    classes: dict[str, tuple[str, ast.ClassDef]] = {}
    for where, tree in _trees().items():
        classes |= {node.name: (where, node) for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    found: dict[str, Kind] = {}

    def refuses(name: str) -> bool:
        if name in KINDS:
            return True
        return name in classes and any(refuses(_last(base)) for base in classes[name][1].bases)

    for name, (where, node) in classes.items():
        if refuses(name):
            said = _class_values(node)
            own = next((one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)
            bases = tuple(_last(base) for base in node.bases)
            slug, status = said.get("SLUG"), said.get("STATUS")
            found[name] = Kind(
                name,
                f"{where}:{node.lineno}",
                bases,
                slug if isinstance(slug, str) else None,
                status if isinstance(status, int) else None,
                None if own is None else _handed_on(own),
            )
    return found


def status_of(name: str) -> int:
    """The status with which refusals of this class are answered."""
    if name == "Malformed":
        return 400
    kind = kinds()[name]
    if kind.status is not None:
        return kind.status
    return next((status_of(base) for base in kind.stands_on if base in kinds()), 409)


def slug_of(name: str) -> str | None:
    """The slug of this class, its own or the one it takes over."""
    kind = kinds()[name]
    return kind.slug or next((slug_of(base) for base in kind.stands_on if base in kinds()), None)


@cache
def raised() -> tuple[Raised, ...]:
    """Every place where a refusal or a Problem is made."""
    return tuple(one for where, tree in _trees().items() for one in _in(tree, where, tree))


def _in(node: ast.AST, where: str, scope: Scope) -> Iterator[Raised]:
    for child in ast.iter_child_nodes(node):
        inner = child if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else scope
        if isinstance(child, ast.Call):
            name = _last(child.func)
            if name in kinds() or name == "Problem":
                place = 3 if name == "Problem" else 0
                sentence = _sentence(child.args[place], scope, child.lineno) if len(child.args) > place else None
                own = kinds()[name].own_sentence if name in kinds() else None
                yield Raised(name, f"{where}:{child.lineno}", own or sentence)
        yield from _in(child, where, inner)


def _sentence(node: ast.expr, scope: Scope, line: int) -> str | None:
    """The text of an expression; of a name what it was given last, above this line, in the same function."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr():
            return "".join(str(one.value) if isinstance(one, ast.Constant) else "{}" for one in node.values)
        case ast.Name(id=name):
            given = [
                one
                for one in ast.walk(scope)
                if isinstance(one, ast.Assign) and one.lineno < line and [_last(to) for to in one.targets] == [name]
            ]
            return _sentence(max(given, key=lambda one: one.lineno).value, scope, line) if given else None
        case ast.BinOp(left=left, right=right) if isinstance(node.op, ast.Add):
            return f"{_sentence(left, scope, line) or '{}'}{_sentence(right, scope, line) or '{}'}"
        case _:
            return None


def _handed_on(constructor: ast.FunctionDef) -> str | None:
    for node in ast.walk(constructor):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__" and node.args:
            return _sentence(node.args[0], constructor, node.lineno)
    return None


def _class_values(node: ast.ClassDef) -> dict[str, object]:
    said: dict[str, object] = {}
    for one in node.body:
        if isinstance(one, ast.Assign) and isinstance(one.value, ast.Constant):
            said |= {_last(to): one.value.value for to in one.targets}
        if isinstance(one, ast.AnnAssign) and isinstance(one.value, ast.Constant):
            said[_last(one.target)] = one.value.value
    return said


def _last(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""
