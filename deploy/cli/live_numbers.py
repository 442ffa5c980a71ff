"""A few numbers of the reporting service as they grow, for the eye."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from deploy.cli.metrics import readable
from deploy.local.issuer import bearer

if TYPE_CHECKING:
    from rich.table import Table

LOOK_AGAIN_S = 0.5
A_FEW = 3


class Watched(NamedTuple):
    """One number to watch: a metric of one tape, asked as the tape's own reference asks."""

    tape: str
    metric: str
    params: dict[str, str]


def headlines(tapes: Iterable[str]) -> list[Watched]:
    """The first few ungrouped metrics that each tape has reference figures for."""
    from deploy.tapes.tape import load_tape

    chosen: list[Watched] = []
    for tape in tapes:
        totals: dict[str, Watched] = {}
        for query in load_tape(tape).references:
            if "by" not in query.params:
                totals.setdefault(query.metric, Watched(tape, query.metric, dict(query.params)))
        chosen += list(totals.values())[:A_FEW]
    return chosen


async def numbers_now(reporting: str, watched: list[Watched]) -> list[dict[str, Any]]:
    """The total of each as it stands, empty while reporting has no answer."""
    import httpx

    async with httpx.AsyncClient(base_url=reporting, timeout=5, trust_env=False, headers=bearer()) as client:

        async def total(number: Watched) -> dict[str, Any]:
            try:
                answer = await client.get(f"/v1/metrics/{number.metric}", params=number.params)
                return (answer.json().get("total") or {}) if answer.is_success else {}
            except (httpx.HTTPError, ValueError):
                return {}

        return [await total(number) for number in watched]


async def watch(reporting: str, watched: list[Watched], show: Callable[[list[dict[str, Any]]], None]) -> None:
    """Show them again and again, until cancelled."""
    while True:
        show(await numbers_now(reporting, watched))
        await asyncio.sleep(LOOK_AGAIN_S)


def numbers_table(watched: list[Watched], totals: list[dict[str, Any]]) -> "Table":
    """The numbers for people, a dash where there is none yet."""
    from rich.table import Table

    page = Table("tape", "number", box=None, padding=(0, 2))
    for heading in ("now", "of"):
        page.add_column(heading, justify="right")
    for number, total in zip(watched, totals, strict=True):
        page.add_row(number.tape, number.metric, readable(total.get("value")), readable(total.get("n")))
    return page
