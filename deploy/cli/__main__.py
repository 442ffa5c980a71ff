"""`python -m deploy.cli`: the visible list of every command, and the one place where a failure becomes a sentence."""

import errno
import importlib.util
import logging
import os
import sys

import typer

from deploy.cli import demo, doctor, logs, metrics, serve, status, suite, up
from deploy.cli.screen import err
from deploy.local.trouble import CannotContinue

TRY, RUN, ASK, DEVELOP = "Try it", "Run it", "Feed it and ask it", "Work on it"

EXAMPLES = """\
[bold]Examples[/bold]
  [cyan]manyi demo[/cyan]                            watch it count other companies' data
  [cyan]manyi up[/cyan]                              run it; Ctrl-C stops everything
  [cyan]manyi import telco --wait --check[/cyan]     feed a tape, compare its figures
  [cyan]manyi metrics csat --by region[/cyan]        ask for a number
  [cyan]manyi test[/cyan]                            the whole suite, on the real things"""

app = typer.Typer(
    name="manyi",
    help="[bold]Manyi (满意)[/bold]: customer relations and satisfaction, as four services on Kafka and MongoDB.",
    epilog=EXAMPLES,
    rich_markup_mode="rich",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command(rich_help_panel=TRY)(demo.demo)
app.command(rich_help_panel=TRY)(doctor.doctor)
app.command(rich_help_panel=RUN)(up.up)
app.command(rich_help_panel=RUN)(up.down)
app.command(rich_help_panel=RUN)(status.status)
app.command(rich_help_panel=RUN)(logs.logs)
app.command(rich_help_panel=RUN)(serve.serve)
app.command(rich_help_panel=RUN)(serve.topics)
if importlib.util.find_spec("deploy.tapes.cli"):
    from deploy.tapes.cli import import_tape

    app.command("import", rich_help_panel=ASK)(import_tape)
app.command(rich_help_panel=ASK)(metrics.metrics)
app.command(rich_help_panel=DEVELOP, context_settings=suite.PASS_ON)(suite.test)
app.command(rich_help_panel=DEVELOP)(suite.check)


def main() -> None:
    """Run a command; what can be foreseen ends in one sentence and status 1, a mistake of ours in a traceback."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # its failures reach us as exceptions
    try:
        app(prog_name="manyi")
    except CannotContinue as refusal:
        err.print(f"[bold red]manyi:[/bold red] {refusal}", markup=True, highlight=False, soft_wrap=True)
        sys.exit(1)
    except BrokenPipeError:  # `manyi logs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        place = error.filename or "the data directory"
        what = "The disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "There is no right to write"
        err.print(f"manyi: {what} at {place}: make room or choose another place with --data DIR.", soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
