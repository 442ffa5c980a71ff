"""`manyi token`: a token of the development issuer, for a system started with `manyi up --protected`."""

from typing import Annotated

import typer

from deploy.cli.screen import out
from deploy.cli.up import DataOption
from deploy.local.trouble import CannotContinue


def token(
    role: Annotated[list[str], typer.Option("--role", help="A role of the roles table; may be repeated.")],
    subject: Annotated[
        str, typer.Option("--sub", help="Who acts, as it stands in events and owners of files.")
    ] = "u-1",
    team: Annotated[list[str] | None, typer.Option("--team", help="A team; may be repeated.")] = None,
    topic: Annotated[
        list[str] | None, typer.Option("--topic", help="A topic of a service account, such as survey-intake.")
    ] = None,
    hours: Annotated[float, typer.Option("--hours", min=0.01, max=24, help="How long it holds.")] = 8,
    data: DataOption = None,
) -> None:
    """Print a development token."""
    from deploy.local.issuer import sign
    from deploy.local.state import data_of
    from shared.policy.shelf import read_roles

    known = {name for version in read_roles().versions for name in version.roles}
    if unknown := sorted(set(role) - known):
        raise CannotContinue(f"There is no role {', '.join(unknown)}: choose among {', '.join(sorted(known))}.")
    signed = sign(data_of(data), subject, role, hours, team, topic)
    out.print(signed, soft_wrap=True, markup=False, highlight=False)
