"""`manyi metrics`: the numbers of the reporting service in the terminal."""

import contextlib
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.screen import out, print_json
from deploy.cli.up import DataOption
from deploy.local.issuer import bearer
from deploy.local.trouble import CannotContinue

if TYPE_CHECKING:
    import httpx
    from rich.table import Table


def metrics(
    metric: Annotated[
        str | None, typer.Argument(help="csat, nps, logo_churn …; the list of all when left out.")
    ] = None,
    since: Annotated[str | None, typer.Option("--from", help="First day of the period.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="The day after its last.")] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", help="As it was known at the end of this day.")] = None,
    definition: Annotated[
        str | None, typer.Option("--definition", help="By this definition instead of the one in force.")
    ] = None,
    by: Annotated[list[str] | None, typer.Option("--by", help="One number per value of this dimension.")] = None,
    where: Annotated[list[str] | None, typer.Option("--where", metavar="DIM=VALUE", help="Only this slice.")] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Count from single facts, not from cells.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the API's answer.")] = False,
    data: DataOption = None,
) -> None:
    """Ask for a number: in total, by dimension, as of any day."""
    named = {"from": since, "to": until, "as_of": as_of, "definition": definition, "by": ",".join(by or []) or None}
    query = {name: value for name, value in named.items() if value} | slices(where or [])
    if exact:
        query["exact"] = "true"
    answer = ask(f"/v1/metrics/{metric}" if metric else "/v1/metrics", query, reporting_url(data))
    if as_json:
        print_json(answer)
    elif metric:
        out.print(table(answer))
    else:
        out.print(catalogue(answer))


def slices(where: list[str]) -> dict[str, str]:
    """`region=east` as the API's where.region=east; raises CannotContinue on anything else."""
    query = {}
    for condition in where:
        dimension, equals, value = condition.partition("=")
        if not dimension or not equals:
            raise CannotContinue(f"--where takes DIMENSION=VALUE, for example --where source=olist, not {condition!r}.")
        query[f"where.{dimension}"] = value
    return query


def reporting_url(data: Any) -> str:
    """MANYI_REPORTING_URL, else the reporting service of the running system."""
    from deploy.local.state import running_system

    if url := os.environ.get("MANYI_REPORTING_URL"):
        return url.rstrip("/")
    return running_system(data).services["reporting"]


def ask(path: str, query: dict[str, str], url: str) -> Any:
    """The API's answer; its refusal, or its silence, becomes a CannotContinue."""
    import httpx

    try:
        answer = httpx.get(f"{url}{path}", params=query, timeout=60, trust_env=False, headers=bearer())
    except httpx.HTTPError as error:
        raise CannotContinue(
            f"The reporting service at {url} does not answer: see `manyi status` and `manyi logs reporting`."
        ) from error
    if answer.is_success:
        with contextlib.suppress(ValueError):
            return answer.json()
    raise CannotContinue(said_no(answer, "The reporting service"))


def said_no(answer: "httpx.Response", who: str) -> str:
    """A refusal as a sentence: from the problem document, if it is one."""
    try:
        said = answer.json()
    except ValueError:
        said = None
    problem = said if isinstance(said, dict) else {}
    sentence = ". ".join(str(problem[part]).rstrip(".") for part in ("title", "detail", "action") if problem.get(part))
    return f"{sentence or f'{who} answered {answer.status_code}'}."


def table(answer: dict[str, Any]) -> "Table":
    """One answer for people: the groups, then the total, with where it comes from."""
    from rich.table import Table

    groups = answer.get("groups") or []
    dimensions = list(groups[0]["dims"]) if groups else []
    as_of = f"{answer.get('as_of') or 'now'}{' (provisional)' if answer.get('provisional') else ''}"
    caption = f"definition {answer.get('definition')} · as of {as_of} · from {answer.get('source')}"
    page = Table(
        title=f"{answer['metric']} · {period(answer.get('period'))} · {answer.get('unit', '')}",
        caption=caption,
        title_justify="left",
        caption_justify="left",
        min_width=72,
    )
    for dimension in dimensions or [""]:
        page.add_column(dimension)
    for heading in ("value", "n", "interval"):
        page.add_column(heading, justify="right")
    for group in groups:
        page.add_row(*(str(group["dims"][dimension]) for dimension in dimensions), *numbers(group))
    if groups:
        page.add_section()
    page.add_row("total", *("" for _ in dimensions[1:]), *numbers(answer["total"]), style="bold")
    return page


def period(value: Any) -> str:
    """The period as the API gives it: {"from": …, "to": …}, a text, or nothing for all time."""
    if isinstance(value, dict):
        return f"{value.get('from') or 'the beginning'} to {value.get('to') or 'now'}"
    return str(value) if value else "all time"


def numbers(cell: dict[str, Any]) -> tuple[str, str, str]:
    """Value, n and interval as text; a dash where there is none."""
    return readable(cell.get("value")), readable(cell.get("n")), interval(cell.get("interval"))


def interval(bounds: Any) -> str:
    """Lower and upper bound, from a pair or from an object with two numbers."""
    if isinstance(bounds, dict):
        bounds = [value for value in bounds.values() if isinstance(value, int | float)][:2]
    return f"{readable(bounds[0])} … {readable(bounds[1])}" if bounds and len(bounds) == 2 else "–"


def readable(number: Any) -> str:
    """Thousands separated, at most six decimals."""
    if isinstance(number, float):
        return f"{number:,.6f}".rstrip("0").rstrip(".")
    return f"{number:,}" if isinstance(number, int) else "–" if number is None else str(number)


def catalogue(answer: dict[str, Any]) -> "Table":
    """What can be asked for, and by which dimensions without counting anew."""
    from rich.table import Table

    page = Table("metric", "name", "unit", "formula, by definition", title="Metrics", title_justify="left")
    for entry in answer["metrics"]:
        formulas = "\n".join(f"{definition}: {formula}" for definition, formula in entry["definitions"].items())
        page.add_row(entry["metric"], f"{entry['names']['en']} {entry['names']['zh']}", entry["unit"], formulas)
    page.caption = f"--by and --where: {', '.join(answer['dimensions'])}"
    page.caption_justify = "left"
    return page
