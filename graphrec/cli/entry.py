"""The commands put together, and the entry point. Heavy imports wait inside the commands, so that help is quick."""

import sys
import warnings

import typer

from graphrec.cli.changes import add_events, add_items, remove_items, update_items
from graphrec.cli.check import check
from graphrec.cli.clip import clip_app
from graphrec.cli.demo import demo
from graphrec.cli.encode import encode
from graphrec.cli.evaluate import evaluate
from graphrec.cli.export import export
from graphrec.cli.forget_user import forget_user
from graphrec.cli.recall import recall
from graphrec.cli.search import search
from graphrec.cli.serve import serve
from graphrec.cli.sites import sites_app
from graphrec.cli.train import train
from graphrec.cli.tune import tune
from graphrec.disk import why_refused
from graphrec.errors import GraphRecError

app = typer.Typer(
    help="Candidate recall in catalogues where new items keep arriving.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (demo, check, encode, train, tune, recall, search):
    app.command()(command)
app.command("eval")(evaluate)
app.command("add-items")(add_items)
app.command("update-items")(update_items)
app.command("remove-items")(remove_items)
app.command("add-events")(add_events)
app.command()(export)
app.command()(serve)
app.command("forget-user")(forget_user)
app.add_typer(clip_app, name="clip")
app.add_typer(sites_app, name="sites")


def main() -> None:
    """Entry point: an expected failure is one line on standard error and exit code 1."""
    # Deprecations inside torch and its packages are not for a user of the command line.
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    try:
        app()
    except GraphRecError as error:
        typer.echo(f"graphrec: {' '.join(str(error).split())}", err=True)
        sys.exit(1)
    except BrokenPipeError:  # the reader, such as head, has seen enough
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        line = why_refused(error)
        if line is None:
            raise
        typer.echo(f"graphrec: {line}", err=True)
        sys.exit(1)
