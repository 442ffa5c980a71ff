"""`manyi demo`: start everything on throw-away data, play the bundled tapes, compare the figures."""

from typing import Annotated

import typer

from deploy.local.trouble import CannotContinue


def demo(
    once: Annotated[bool, typer.Option("--once", help="Exit after the table; status 1 when a figure differs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --once: print the table as JSON.")] = False,
) -> None:
    """Play other companies' data and compare the figures with theirs."""
    raise CannotContinue("The tapes are not here yet.")
