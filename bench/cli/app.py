"""The `bench` command: verbs, exit codes, and errors as one line."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from bench import __version__
from bench.cli import (
    audit,
    compare,
    config,
    contract,
    doctor,
    export,
    fetch,
    gc,
    import_,
    leaderboard,
    listing,
    report,
    reproduce,
    run,
    schema,
    status,
    submit,
    validate,
    why,
)
from bench.cli.verb import configurable, wording
from bench.errors import INTERRUPTED, BenchError, BudgetError, UsageError
from bench.files import is_full
from bench.logs import on_stderr

app = typer.Typer(
    name="bench",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"bench {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print it and leave."),
    ] = False,
) -> None:
    """Defenses against membership inference on text-to-image diffusion models, measured.

    Data on stdout, progress on stderr. Exit codes: 0 done, 1 a cell failed, 2 usage, 3 validation,
    4 an asset is missing, 5 disk or memory spent (resumable), 130 interrupted (resumable).
    """


VERBS = {
    "Measure": (run.run, run.plan, run.resume, audit.audit, reproduce.reproduce),
    "Read": (report.report, compare.compare, leaderboard.leaderboard, listing.show),
    "Share": (submit.submit, validate.validate, export.export),
    "Your own attacks and defenses": (contract.new,),
    "Live with it": (
        status.status, why.why, gc.gc, config.config, schema.schema, fetch.fetch, doctor.doctor,
    ),
}  # fmt: skip
"""By the heading that `bench --help` shows them under."""
for heading, verbs in VERBS.items():
    for verb in verbs:
        app.command(rich_help_panel=heading)(verb)
app.command("import", rich_help_panel="Share")(import_.import_)
app.command("list", rich_help_panel="Read")(listing.list_)
app.command("test", rich_help_panel="Your own attacks and defenses")(contract.check)
configurable(app)


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM, of `timeout` or a plain `kill`, ends a command in order, as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _foreseen(error: Exception) -> tuple[str, int]:
    """What is said of a failure, and its exit code; what nobody foresaw is raised again."""
    if isinstance(error, typer.TyperException):  # unknown option, missing value
        said = wording(error)
        context = getattr(error, "ctx", None)
        verb = f"bench {context.info_name}" if context and context.parent else "bench"
        # Nothing is said of a bare `bench`: it shows the help.
        return said and f"{said} (`{verb} --help` shows what there is)", UsageError.exit_code
    if isinstance(error, BenchError):
        return str(error), error.exit_code
    if isinstance(error, PermissionError):  # of whatever file was given
        told = f"{error.filename}: {error.strerror}; change who may use it, or name another"
        return told, UsageError.exit_code
    if is_full(error):
        return (
            "no space left for the output; free some, or send it elsewhere",
            BudgetError.exit_code,
        )
    raise error


def main() -> None:
    """Runs the command; every foreseen failure ends in one line and its exit code."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        # Not standalone: unforeseen errors keep their traceback, foreseen ones get one line.
        with on_stderr(), _terminated_as_interrupted():
            code = app(standalone_mode=False) or 0
            sys.stdout.flush()  # here, where a reader who left or a full disk is told
    except BrokenPipeError:  # the reader of our output has left
        os._exit(0)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except (typer.TyperException, BenchError, OSError) as error:
        said, code = _foreseen(error)
        if said:
            print(f"error: {said}", file=sys.stderr, flush=True)
        if isinstance(error, OSError) and is_full(error):  # what is left to write would fail too
            os._exit(code)
    if code == INTERRUPTED:
        print("interrupted; run the same command again, or `bench resume`", file=sys.stderr)
        # A worker thread in the middle of a stage must not hold the process back.
        if any(not t.daemon for t in threading.enumerate() if t is not threading.main_thread()):
            sys.stderr.flush()
            os._exit(INTERRUPTED)
    sys.exit(code)
