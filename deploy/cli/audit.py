"""`manyi audit`: whether what was done, read and denied still stands as it was written."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.keys import DataOption, place
from deploy.cli.screen import err, out, print_json
from deploy.local.trouble import CannotContinue

audit = typer.Typer(
    name="audit", no_args_is_help=True, help="Check the audit of every service for changes.", add_completion=False
)


@audit.callback()
def group() -> None:
    """Check the audit of every service for changes."""


@audit.command()
def verify(
    data: DataOption = None,
    checkpoints: Annotated[
        Path | None,
        typer.Option(
            "--checkpoints",
            help="Their directory, best a copy kept elsewhere; default MANYI_AUDIT_DIR, else `audit` by the key file.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find every edited, removed, moved or cut off line; ends with status 1 when there is one."""
    keys_file, mongo = place(data)
    reports = asyncio.run(_verified(keys_file, mongo, checkpoints))
    if as_json:
        print_json(reports)
    for name, report in reports.items():
        if not as_json:
            out.print(f"{name:<10} {report['lines']:>9,} lines, {report['checkpoints']:,} checkpoints")
        for finding in report["findings"]:
            err.print(f"[red]✗[/red] {name}: {finding['kind']}: {finding['where']}", soft_wrap=True)
    if any(report["findings"] for report in reports.values()):
        raise CannotContinue("The audit is not as it was written; docs/security.md says what to do.")


async def _verified(keys_file: Path, mongo: str, checkpoints: Path | None) -> dict[str, dict[str, Any]]:
    from dataclasses import asdict

    from shared.contracts.catalogue import SPEAKERS
    from shared.plumbing.audit.chains import AuditKeys
    from shared.plumbing.audit.verify import verify as check
    from shared.plumbing.database import open_client
    from shared.plumbing.settings import Settings

    chosen: dict[str, Any] = {} if checkpoints is None else {"audit_dir": checkpoints}
    settings = Settings(keys_file=keys_file, mongo=mongo, **chosen)
    key = bytes.fromhex(settings.keys.installation_key.get_secret_value())
    client = open_client(settings.mongo)
    try:
        return {
            name: asdict(
                await check(client[f"{settings.database_prefix}{name}"], AuditKeys(key, name), settings.checkpoints)
            )
            for name in SPEAKERS
        }
    finally:
        await client.close()
