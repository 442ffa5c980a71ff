"""`manyi status`: what runs, where, and how far each consumer group is behind."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.screen import out, print_json
from deploy.cli.up import DataOption

if TYPE_CHECKING:
    from rich.table import Table

    from deploy.local.state import SystemState

COUNTS = ("dead_letters", "parked", "early")


def status(
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what runs, where it listens, lag and set-aside records."""
    from deploy.local.state import running_system

    state = running_system(data)
    report = summary(state, {name: health(url) for name, url in state.services.items()})
    if as_json:
        print_json(report)
    else:
        out.print(table(report, state))


def health(url: str) -> dict[str, Any] | None:
    """What the service says at /v1/health, None when it does not answer."""
    import httpx

    try:
        answer = httpx.get(f"{url}/v1/health", timeout=3, trust_env=False)
        said = answer.json()
    except (httpx.HTTPError, ValueError):
        return None
    return said if isinstance(said, dict) else None


def summary(state: "SystemState", answers: dict[str, dict[str, Any] | None]) -> dict[str, Any]:
    """The whole system as one document: counts are summed over the services, lag is per consumer group."""
    told = {name: answer or {} for name, answer in answers.items()}
    return {
        "services": {
            name: {"url": url, "ready": bool(told[name].get("ready", False))} for name, url in state.services.items()
        },
        "kafka": state.kafka,
        "mongo": state.mongo,
        "lag": {
            group if group.startswith(name) else f"{name}-{group}": lag
            for name, answer in told.items()
            for group, lag in answer.get("lag", {}).items()
        },
        **{count: sum(answer.get(count, 0) for answer in told.values()) for count in COUNTS},
        "pid": state.pid,
        "data": state.data,
    }


def table(report: dict[str, Any], state: "SystemState") -> "Table":
    """The same for people."""
    from rich.table import Table

    lag = ", ".join(f"{group} {behind:,}" for group, behind in sorted(report["lag"].items()) if behind) or "none"
    aside = ", ".join(f"{report[count]:,} {count.replace('_', ' ')}" for count in COUNTS)
    page = Table(
        title=f"Manyi on {report['data']} (pid {report['pid']})",
        caption=f"Lag: {lag}\nSet aside: {aside}",
        title_justify="left",
        caption_justify="left",
    )
    for heading in ("process", "state", "address", "pid", "starts"):
        page.add_column(heading, justify="right" if heading in ("pid", "starts") else "left", overflow="fold")
    where = {"kafka": state.kafka, "mongo": state.mongo, **state.services}
    for name, address in where.items():
        process = state.processes.get(name)
        ready = report["services"][name]["ready"] if name in report["services"] else process is None or process.ready
        page.add_row(
            name,
            "[green]ready[/green]" if ready else "[red]not ready[/red]",
            address,
            str(process.pid or "–") if process else "external",
            str(process.starts) if process else "",
        )
    return page
