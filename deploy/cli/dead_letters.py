"""`manyi dead-letters`: what the services set aside, and what is to become of it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from deploy.cli.metrics import said_no
from deploy.cli.screen import out, print_json
from deploy.cli.up import DataOption
from deploy.local.issuer import bearer
from deploy.local.trouble import CannotContinue

if TYPE_CHECKING:
    from rich.table import Table

dead_letters = typer.Typer(
    name="dead-letters",
    no_args_is_help=True,
    help="List, show, retry or discard the records that were set aside.",
    rich_markup_mode="rich",
)

A_PAGE = 200
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ServiceOption = Annotated[str | None, typer.Option("--service", help="Only those of this service.")]
TopicOption = Annotated[str | None, typer.Option("--topic", help="Only those of this topic.")]
NameArgument = Annotated[
    str, typer.Argument(metavar="LETTER", help="SERVICE:TOPIC/PARTITION/OFFSET, as `list` names it.")
]


@dead_letters.command(name="list")
def list_letters(
    service: ServiceOption = None,
    topic: TopicOption = None,
    settled: Annotated[bool, typer.Option("--settled", help="Those retried or discarded, with the verdict.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many.")] = 50,
    as_json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Where, when, whose and why; never the record itself."""
    total = 0
    letters: list[dict[str, Any]] = []
    for url in chosen(service, data).values():
        wanted = {"topic": topic, "settled": str(settled).lower()}
        total += ask("GET", url, "", params=_given(wanted | {"limit": "1"}))["total"]
        for letter in pages(url, wanted):
            if len(letters) == limit:
                break
            letters.append(letter)
    if as_json:
        print_json({"total": total, "letters": letters})
    else:
        out.print(table(letters, total))


@dead_letters.command()
def show(
    letter: NameArgument,
    payload: Annotated[
        bool, typer.Option("--payload", help="Also the record. It may hold personal data; the look is logged.")
    ] = False,
    as_json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """All about one; the record itself only with --payload."""
    url, place = found(letter, data)
    shown = ask("GET", url, place, params={"payload": "true"} if payload else {})
    if as_json:
        print_json(shown)
        return
    for name, value in shown.items():
        out.print(f"{name}: {'–' if value is None else value}", markup=False, highlight=False, soft_wrap=True)


@dead_letters.command()
def retry(
    letters: Annotated[list[str] | None, typer.Argument(metavar="[LETTER]...", help="As `list` names them.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All, or all of --service and --topic.")] = False,
    service: ServiceOption = None,
    topic: TopicOption = None,
    as_json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Have them taken again after a fix, on the normal path. Each counts once, however often it is retried."""
    if bool(letters) == everything:
        raise CannotContinue("Name the letters to retry, or say --all; `manyi dead-letters list` names them.")
    told: list[dict[str, Any]] = []
    for letter in letters or ():
        url, place = found(letter, data)
        told.append(ask("POST", url, f"{place}/retry"))
    if everything:
        for url in chosen(service, data).values():
            open_letters = list(pages(url, {"topic": topic, "settled": "false"}))
            told += [ask("POST", url, f"{letter['id']}/retry") for letter in open_letters]
    if as_json:
        print_json({"letters": told})
    else:
        out.print(table(told, len(told)) if told else "There is nothing to retry.")
    rejected = sum(letter["outcome"] == "rejected" for letter in told)
    if rejected:
        raise CannotContinue(f"{rejected} of {len(told)} were rejected again and stay, with the reason above.")


@dead_letters.command()
def discard(
    letters: Annotated[list[str], typer.Argument(metavar="LETTER...", help="As `list` names them.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept with the verdict, sealed.")],
    as_json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Give them up for ever: the records are deleted, where they stood and why they were given up is kept."""
    told = []
    for letter in letters:
        url, place = found(letter, data)
        told.append(ask("POST", url, f"{place}/discard", json={"reason": reason}))
    if as_json:
        print_json({"letters": told})
    else:
        out.print(table(told, len(told)))


def chosen(service: str | None, data: Any) -> dict[str, str]:
    """Where the services of the running system answer; only one of them if one is named."""
    from deploy.local.state import running_system

    services = running_system(data).services
    if service is None:
        return services
    if service not in services:
        raise CannotContinue(f"There is no service {service}: choose {', '.join(services)}.")
    return {service: services[service]}


def found(letter: str, data: Any) -> tuple[str, str]:
    """Address of the service, and the place, of a letter's name."""
    service, colon, place = letter.partition(":")
    if not colon or not place:
        raise CannotContinue(f"A letter is named SERVICE:TOPIC/PARTITION/OFFSET, as `list` prints it, not {letter!r}.")
    return chosen(service, data)[service], place


def pages(url: str, wanted: dict[str, str | None]) -> Iterator[dict[str, Any]]:
    """All letters of one service, page by page."""
    after = None
    while True:
        page = ask("GET", url, "", params=_given(wanted | {"limit": str(A_PAGE), "after": after}))
        yield from page["letters"]
        after = page["next"]
        if after is None:
            return


def ask(method: str, url: str, place: str, **more: Any) -> Any:
    """What the service answers; its refusal, or its silence, becomes a CannotContinue."""
    import httpx

    path = f"{url}/v1/dead-letters{'/' if place else ''}{quote(place)}"
    try:
        answer = httpx.request(method, path, timeout=60, trust_env=False, headers=bearer(), **more)
    except httpx.HTTPError as error:
        raise CannotContinue(f"The service at {url} does not answer: see `manyi status` and `manyi logs`.") from error
    if answer.is_success:
        return answer.json()
    raise CannotContinue(said_no(answer, "The service"))


def _given(parameters: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in parameters.items() if value is not None}


def table(letters: list[dict[str, Any]], total: int) -> "Table":
    """A line each: its name, when, whose, why, and what became of it."""
    from rich.markup import escape
    from rich.table import Table

    page = Table(title=f"Dead letters: {len(letters):,} of {total:,}", title_justify="left")
    for heading in ("letter", "set aside", "subscriber", "type", "reason", "state"):
        page.add_column(heading, overflow="fold")
    for letter in letters:
        state = " ".join(filter(None, (letter["state"], letter.get("outcome"))))
        texts = (f"{letter['service']}:{letter['id']}", letter["set_aside_at"], letter["subscriber"], letter["type"])
        page.add_row(*(escape(str(text)) for text in (*texts, letter["reason"], state)))
    return page
