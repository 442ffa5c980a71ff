"""`python -m deploy.cli`: the visible list of every command, and the one place where a failure becomes a sentence."""

import errno
import importlib
import logging
import os
import sys

import typer
from rich.markup import escape

from deploy.cli.screen import err
from deploy.local.trouble import CannotContinue

TRY, RUN, ASK, DEVELOP = "Try it", "Run it", "Feed it and ask it", "Work on it"

EXAMPLES = """\
[bold]Examples[/bold]
  [cyan]manyi demo[/cyan]                            watch it count other companies' data
  [cyan]manyi up[/cyan]                              run it; Ctrl-C stops everything
  [cyan]manyi import online-retail --check[/cyan]    feed a tape, compare its figures
  [cyan]manyi metrics purchases --by region[/cyan]   ask for a number
  [cyan]manyi test[/cyan]                            the whole suite, on the real things"""

COMMANDS = {
    "demo": ("deploy.cli.demo", "demo", TRY),
    "doctor": ("deploy.cli.doctor", "doctor", TRY),
    "up": ("deploy.cli.up", "up", RUN),
    "down": ("deploy.cli.up", "down", RUN),
    "status": ("deploy.cli.status", "status", RUN),
    "logs": ("deploy.cli.logs", "logs", RUN),
    "dead-letters": ("deploy.cli.dead_letters", "dead_letters", RUN),
    "audit": ("deploy.cli.audit", "audit", RUN),
    "token": ("deploy.cli.token", "token", RUN),
    "rebuild": ("deploy.cli.rebuild", "rebuild", RUN),
    "repartition": ("deploy.cli.repartition", "repartition", RUN),
    "backup": ("deploy.cli.backup", "backup", RUN),
    "restore": ("deploy.cli.backup", "restore", RUN),
    "serve": ("deploy.cli.serve", "serve", RUN),
    "keys": ("deploy.cli.keys", "keys", RUN),
    "topics": ("deploy.cli.serve", "topics", RUN),
    "import": ("deploy.tapes.cli", "import_tape", ASK),
    "metrics": ("deploy.cli.metrics", "metrics", ASK),
    "policy": ("deploy.cli.policy", "policy", ASK),
    "chaos": ("deploy.chaos.cli", "chaos", DEVELOP),
    "test": ("deploy.cli.suite", "test", DEVELOP),
    "check": ("deploy.cli.suite", "check", DEVELOP),
    "bench": ("deploy.bench.cli", "bench", DEVELOP),
}
"""Every command: its module, its function, its panel in the help. Only the module asked for is loaded."""

PASS_ON = {"test": {"allow_extra_args": True, "ignore_unknown_options": True}}
"""Commands whose further arguments belong to another program."""


def manyi() -> None:
    """[bold]Manyi (满意)[/bold]: customer relations and satisfaction, as four services on Kafka and MongoDB."""


def door(asked: str | None = None) -> typer.Typer:
    """The commands as one program; only the one asked for when it is a command, for a quick start."""
    app = typer.Typer(
        name="manyi",
        epilog=EXAMPLES,
        rich_markup_mode="rich",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(manyi)
    for name, (module, function, panel) in COMMANDS.items():
        if asked == name or asked not in COMMANDS:
            command = getattr(importlib.import_module(module), function)
            if isinstance(command, typer.Typer):  # a group of commands
                app.add_typer(command, name=name, rich_help_panel=panel)
                continue
            app.command(name, rich_help_panel=panel, context_settings=PASS_ON.get(name))(command)
    return app


def main() -> None:
    """Run a command; what can be foreseen ends in one sentence and status 1, a mistake of ours in a traceback."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # its failures reach us as exceptions
    try:
        door(sys.argv[1] if len(sys.argv) > 1 else None)(prog_name="manyi")
    except CannotContinue as refusal:
        err.print(f"[bold red]manyi:[/bold red] {escape(str(refusal))}", soft_wrap=True)
        sys.exit(1)
    except BrokenPipeError:  # `manyi logs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        place = error.filename or "the data directory"
        what = "The disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "There is no right to write"
        remedy = "make room, or choose another place with --data DIR"
        err.print(f"[bold red]manyi:[/bold red] {what} at {place}: {remedy}.", soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
