"""`manyi policy`: are the packs sound, what differs between two of them, and what a key says."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from deploy.cli.screen import err, out, print_json
from deploy.local.trouble import CannotContinue
from shared.policy.calendar.official import Named
from shared.policy.declared import Declared
from shared.policy.differences import NoSuchVersion, differences, named
from shared.policy.explaining import Explanation, explain, in_words
from shared.policy.pack import Edition, Pack, json_schema
from shared.policy.policies import due_for_review
from shared.policy.settings import Setting
from shared.policy.shelf import PACKS, PackUnsound, pack_files, read_low_score, read_pack
from shared.policy.soundness import faults, unstated

policy = typer.Typer(
    name="policy", no_args_is_help=True, help="Check, compare and explain the policy packs.", rich_markup_mode="rich"
)

PacksOption = Annotated[
    Path, typer.Option("--packs", envvar="MANYI_POLICY_PACKS", help="The directory of the packs.", show_default=False)
]
OnOption = Annotated[
    datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="As in force on this day; today when left out.")
]
Language = Literal["zh", "en", "both"]


@policy.command()
def check(packs: PacksOption = PACKS, on: OnOption = None) -> None:
    """All packs valid, every key documented, dates in order; what is unset, left blank and due for review."""
    shelf = _read(packs)
    today = _day(on)
    if wrong := faults(shelf):
        raise CannotContinue("; ".join(wrong))
    page = Table("version in force", "effective", "review", "keys", "unset", title="Policy packs", title_justify="left")
    for pack in shelf:
        latest = {one.document: one for one in pack.editions() if one.effective_from <= today}
        for document in pack.documents:
            page.add_row(*_row(latest.get(document.document), document.document, document.review_on))
    page.add_row(*_low_score_row(packs, today))
    out.print(page)
    for sentence in unstated(shelf, today):
        err.print(f"[yellow]{sentence}[/yellow]")
    for pack, document in due_for_review(shelf, today):
        err.print(f"[yellow]{pack.pack}/{document.document} was to be reviewed by {document.review_on}[/yellow]")


def _low_score_row(directory: Path, today: date) -> tuple[str, ...]:
    """The policy of bad answers, which has a form of its own; dashes where the directory does without it."""
    if not (directory / "low-score.yaml").is_file():
        return ("low-score: none", "–", "–", "–", "–")
    try:
        version = read_low_score(directory).in_force(today)
    except PackUnsound as error:
        raise CannotContinue(str(error)) from error
    if version is None:
        return ("low-score: none yet", "–", "–", "–", "–")
    return (version.version, str(version.effective_from), "–", str(len(version.rules)), "–")


def _row(edition: Edition | None, document: str, review_on: date) -> tuple[str, ...]:
    if edition is None:
        return (f"{document}: none yet", "–", str(review_on), "–", "–")
    count = str(len(edition.settings))
    return (edition.stamp, str(edition.effective_from), str(review_on), count, escape("\n".join(edition.unset)) or "–")


@policy.command()
def diff(
    before: Annotated[str, typer.Argument(help="A pack, or PACK/DOCUMENT/VERSION.")],
    after: Annotated[str, typer.Argument(help="What to compare it with.")],
    packs: PacksOption = PACKS,
    on: OnOption = None,
) -> None:
    """What differs between two versions of a document, or between two packs."""
    shelf = _read(packs)
    try:
        found = differences(*(named(name, shelf, _day(on)) for name in (before, after)))
    except NoSuchVersion as error:
        raise CannotContinue(f"{str(error)[0].upper()}{str(error)[1:]}.") from error
    page = Table("key", "", before, after, title_justify="left")
    for one in found:
        page.add_row(one.key, one.kind, *(escape(_shown(side)) for side in (one.before, one.after)))
    out.print(page if found else "No difference.")


@policy.command(name="explain")
def explain_key(
    key: Annotated[str, typer.Argument(metavar="KEY", help="For example purchase.within.")],
    on: OnOption = None,
    language: Annotated[Language, typer.Option("--lang", help="zh, en or both.")] = "both",
    as_json: Annotated[bool, typer.Option("--json", help="Print it as data.")] = False,
    packs: PacksOption = PACKS,
) -> None:
    """Value, unit, clause and version of a key, and what happens while it is unset."""
    shelf = _read(packs)
    found = explain(key, tuple(shelf), _day(on))
    if not found:
        raise CannotContinue(_unknown(key, shelf))
    if as_json:
        print_json([_data(one) for one in found])
        return
    for one in found:
        out.print(f"[bold]{one.key}[/bold]  {escape(one.version)}, {one.effective_from}", highlight=False)
        for chosen in ("zh", "en"):
            if language in (chosen, "both"):
                _tell(one, chosen == "zh")


@policy.command()
def schema() -> None:
    """Print the JSON Schema of a pack (kept as shared/policy/packs/pack.schema.json)."""
    print(json.dumps(json_schema(), ensure_ascii=False, indent=2, sort_keys=True))


def _tell(one: Explanation, chinese: bool) -> None:
    def said(words: Named) -> str:
        return words.zh if chinese else words.en

    labels = (
        ("取值", "单位", "条款", "来源", "说明", "未设定时")
        if chinese
        else ("value", "unit", "clause", "from", "meaning", "when unset")
    )
    values = (said(one.value), said(one.unit), ", ".join(one.clauses), said(one.origin), said(one.note))
    for label, value in zip(labels, (*values, said(one.when_unset)), strict=True):
        out.print(f"  [dim]{label}[/dim] {escape(value)}", highlight=False, soft_wrap=True)


def _data(one: Explanation) -> dict[str, object]:
    worded = {name: getattr(one, name)._asdict() for name in ("value", "unit", "origin", "note", "when_unset")}
    return {
        "key": one.key,
        **worded,
        "clauses": list(one.clauses),
        "version": one.version,
        "effective_from": str(one.effective_from),
    }


def _shown(setting: Setting | None) -> str:
    if setting is None:
        return "–"
    value = setting.value
    text = in_words(value).en
    if isinstance(value, Declared):
        text = f"{text}\n{value.model_dump_json(exclude_defaults=True)}"
    return f"{text} {setting.unit}" if isinstance(value, int) and not isinstance(value, bool) else text


def _read(directory: Path) -> list[Pack]:
    files = pack_files(directory)
    if not files:
        raise CannotContinue(f"There is no pack in {directory}: name the directory with --packs.")
    packs, wrong = [], []
    for file in files:
        try:
            packs.append(read_pack(file))
        except PackUnsound as error:
            wrong.append(str(error))
    if wrong:
        raise CannotContinue("; ".join(wrong))
    return packs


def _day(on: datetime | None) -> date:
    return on.date() if on is not None else date.today()  # noqa: DTZ011 - the day of the person at the terminal


def _unknown(key: str, packs: list[Pack]) -> str:
    keys = {name for pack in packs for edition in pack.editions() for name in edition.settings}
    near = sorted(name for name in keys if key.split(".")[0] == name.split(".")[0])
    return f"No pack speaks of {key} on that day" + (f"; near it: {', '.join(near)}." if near else ".")
