"""A tape as it is written: loading the YAML, checking it against tape.schema.json, and finding its files."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from deploy.tapes.errors import TapeError
from deploy.tapes.tables import FileSpec, find_file

TAPES = Path(__file__).parent
DATA = TAPES / "data"
BUNDLED: list[str] = ["telco", "online-retail", "incident-log", "known-answers"]
"""Tapes that bring their data along, in the order in which a demo plays them."""


@dataclass(frozen=True)
class Join:
    file: str
    on: str
    many: bool = False


@dataclass(frozen=True)
class Rule:
    """How rows of one file become events of one type. Text in `fields` is an expression, anything else a literal."""

    rows: str
    topic: str
    type: str
    id: str
    key: str
    time: str
    fields: Mapping[str, Any]
    where: str | None = None
    group_by: str | None = None
    each: str = "group"
    join: Mapping[str, Join] = field(default_factory=dict)
    let: Mapping[str, str] = field(default_factory=dict)
    when: str | None = None
    repeat: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class Reference:
    """One figure known beforehand. Equal means: the answer, rounded half up to the decimals written here, is this."""

    figure: str
    pick: str
    reference: Decimal
    group: Mapping[str, str] = field(default_factory=dict)
    within: Decimal | None = None


@dataclass(frozen=True)
class Query:
    """One question to reporting (`to` is exclusive) and the figures that its answer must show."""

    metric: str
    params: Mapping[str, str]
    basis: str
    figures: tuple[Reference, ...]


@dataclass(frozen=True)
class Tape:
    name: str
    title: str
    origin: str
    folder: str
    zone: str
    sources: tuple[str, ...]
    files: Mapping[str, FileSpec]
    tables: Mapping[str, Mapping[str, Any]]
    rules: tuple[Rule, ...]
    references: tuple[Query, ...]
    places: tuple[Path, ...]

    def file(self, name: str) -> Path:
        """Where a file of the tape lies. Raises TapeError with the data's origin when it is not there."""
        try:
            return find_file(self.files[name].path, self.folder, self.places)
        except TapeError as error:
            raise TapeError(
                f"the tape {self.name}: {error}. Name the folder with --from DIR. The data: {self.origin}"
            ) from error


class _Loader(yaml.SafeLoader):
    """Safe YAML with exact decimals, dates left as text, and no key twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [str(key.value) for key, _ in node.value]
        if doubled := {key for key in keys if keys.count(key) > 1}:
            raise TapeError(f"line {node.start_mark.line + 1}: given twice: {', '.join(sorted(doubled))}")
        return super().construct_mapping(node, deep)


def _decimal(loader: Any, node: Any) -> Decimal:
    return Decimal(loader.construct_scalar(node).replace("_", ""))


def _as_written(loader: Any, node: Any) -> Any:
    return loader.construct_scalar(node)


# YAML 1.2 booleans only: `on`, `yes` and `No` are words of a tape.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), ["t", "f"])
_Loader.add_constructor("tag:yaml.org,2002:float", _decimal)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _as_written)


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads((TAPES / "tape.schema.json").read_text(encoding="utf-8")))


def load_tape(name: str, folder: Path | None = None) -> Tape:
    """Load a tape by its name (telco, online-retail, …) or by the path of a YAML file.

    `folder` is where its files are, for tapes without bundled data. Raises TapeError for an unknown name and for a
    YAML file that is not a tape, naming the place and what is wrong there.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else TAPES / f"{name.replace('-', '_')}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem.replace("_", "-") for p in TAPES.glob("*.yaml")))
        raise TapeError(f"there is no tape {name!r}; known are {known}, or the path of a YAML file")
    places = (folder,) if folder else (DATA, path.parent)
    return read_tape(path.read_text(encoding="utf-8"), path.name, places)


def read_tape(text: str, where: str, places: tuple[Path, ...]) -> Tape:
    """Read a tape from its YAML text; `where` names it in messages, `places` are the folders of its files."""
    try:
        # _Loader is a SafeLoader: it builds plain values only.
        written = yaml.load(text, Loader=_Loader)  # noqa: S506
    except (yaml.YAMLError, TapeError) as error:
        raise TapeError(f"{where} is not readable YAML: {error}") from error
    _check(written, where)
    tape = _build(written, places)
    for number, rule in enumerate(tape.rules):
        for file in (rule.rows, *(join.file for join in rule.join.values())):
            if file not in tape.files:
                raise TapeError(f"{where}: rules[{number}] names the file {file!r}, which `files` does not describe")
    return tape


def _check(written: object, where: str) -> None:
    problems = sorted(_validator().iter_errors(written), key=lambda error: list(map(str, error.absolute_path)))
    if problems:
        told = [f"{_place(problem.absolute_path)}: {problem.message[:300]}" for problem in problems[:5]]
        more = f" (and {len(problems) - 5} more)" if len(problems) > 5 else ""
        raise TapeError(f"{where} is not a tape: {'; '.join(told)}{more}")


def _place(path: Any) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.lstrip(".") or "the whole"


def _build(written: dict[str, Any], places: tuple[Path, ...]) -> Tape:
    return Tape(
        name=written["tape"],
        title=written["title"],
        origin=" ".join(written["origin"].split()),
        folder=written.get("folder", ""),
        zone=written["zone"],
        sources=tuple(written["sources"]),
        files={
            name: FileSpec(**{**spec, "columns": tuple(spec.get("columns", ()))})
            for name, spec in written["files"].items()
        },
        tables=written.get("tables", {}),
        rules=tuple(_rule(rule, written.get("let", {})) for rule in written["rules"]),
        references=tuple(_query(query, written["sources"]) for query in written.get("references", [])),
        places=places,
    )


def _rule(written: dict[str, Any], lets: Mapping[str, str]) -> Rule:
    joins = {name: Join(**join) for name, join in written.get("join", {}).items()}
    return Rule(**{**written, "join": joins, "let": {**lets, **written.get("let", {})}})


def _query(written: dict[str, Any], sources: list[str]) -> Query:
    """The parameters as reporting reads them; without a `where.source` the tape's only source is meant."""
    where = written.get("where", {})
    if len(sources) == 1:
        where = {"source": sources[0], **where}
    params = {"from": written["from"], "to": written["to"]}
    if by := written.get("by"):
        params["by"] = ",".join(by)
    params |= {f"where.{name}": value for name, value in where.items()}
    if written.get("exact"):
        params["exact"] = "true"
    figures = tuple(
        Reference(**{**figure, "reference": Decimal(str(figure["reference"]))}) for figure in written["figures"]
    )
    return Query(written["metric"], params, written["basis"], figures)
