"""`manyi status`: what runs, where, and how far each consumer group is behind."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.screen import out, print_json
from deploy.cli.up import DataOption
from deploy.local.issuer import bearer

if TYPE_CHECKING:
    from rich.table import Table

    from deploy.local.state import SystemState

COUNTS = ("dead_letters", "parked", "early")
MOST_SHOWN = 10


def status(
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what runs, where it listens, lag and set-aside records."""
    from deploy.local.state import running_system

    state = running_system(data)
    report = summary(state, {name: health(url) for name, url in state.addresses.items()})
    if as_json:
        print_json(report)
    else:
        out.print(table(report, state))


def health(url: str) -> dict[str, Any] | None:
    """What the service says at /v1/health, None when it does not answer."""
    import httpx

    try:
        answer = httpx.get(f"{url}/v1/health", timeout=3, trust_env=False, headers=bearer())
        said = answer.json()
    except (httpx.HTTPError, ValueError):
        return None
    return said if isinstance(said, dict) else None


def summary(state: "SystemState", answers: dict[str, dict[str, Any] | None]) -> dict[str, Any]:
    """The whole system as one document, from what every process answers.

    Counts are of a service's database, so any of its processes tells them, and are summed over the services. Lag is
    per consumer group: each process tells that of the partitions it holds, None while it does not know them.
    A service is ready when all of its processes are.
    """
    lags: dict[str, list[int | None]] = {}
    counts = dict.fromkeys(COUNTS, 0)
    waits: list[dict[str, Any]] = []
    services = {}
    for name, processes in state.instances.items():
        told = {process: answers[process] or {} for process in processes}
        ready = {process: bool(answer.get("ready", False)) for process, answer in told.items()}
        services[name] = {
            "url": state.services[name],
            "ready": all(ready.values()),
            "instances": {process: {"url": url, "ready": ready[process]} for process, url in processes.items()},
        }
        for answer in told.values():
            for group, behind in answer.get("lag", {}).items():
                lags.setdefault(group if group.startswith(name) else f"{name}-{group}", []).append(behind)
        waits += [{"service": name, **one} for one in max((one.get("waiting", []) for one in told.values()), key=len)]
        for count in COUNTS:
            counts[count] += max(answer.get(count, 0) for answer in told.values())
    return {
        "services": services,
        "kafka": state.kafka,
        "mongo": state.mongo,
        "lag": {group: None if None in known else sum(filter(None, known)) for group, known in lags.items()},
        **counts,
        "waiting": waits,
        "pid": state.pid,
        "data": state.data,
    }


def waiting(entries: list[dict[str, Any]]) -> list[str]:
    """Some of what is parked or early, a line each."""
    lines = [
        f"  {one['service']}: {one['state']} {one['type']} waits for {one['waits_for']} since {one['since']}"
        for one in entries[:MOST_SHOWN]
    ]
    return [*lines, "  …"] if len(entries) > MOST_SHOWN else lines


def table(report: dict[str, Any], state: "SystemState") -> "Table":
    """The same for people."""
    from rich.table import Table

    lag = ", ".join(f"{group} {behind:,}" for group, behind in sorted(report["lag"].items()) if behind) or "none"
    aside = ", ".join(f"{report[count]:,} {count.replace('_', ' ')}" for count in COUNTS)
    page = Table(
        title=f"Manyi on {report['data']} (pid {report['pid']})",
        caption="\n".join([f"Lag: {lag}", f"Set aside: {aside}", *waiting(report["waiting"])]),
        title_justify="left",
        caption_justify="left",
    )
    for heading in ("process", "state", "address", "pid", "starts"):
        page.add_column(heading, justify="right" if heading in ("pid", "starts") else "left", overflow="fold")
    serving = {name: told for service in report["services"].values() for name, told in service["instances"].items()}
    where = {"kafka": state.kafka, "mongo": state.mongo, **{name: told["url"] for name, told in serving.items()}}
    for name, address in where.items():
        process = state.processes.get(name)
        ready = serving[name]["ready"] if name in serving else process is None or process.ready
        page.add_row(
            name,
            "[green]ready[/green]" if ready else "[red]not ready[/red]",
            address,
            str(process.pid or "–") if process else "external",
            str(process.starts) if process else "",
        )
    return page
