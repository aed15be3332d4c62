"""`bench report`: what runs found, as tables or as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options as o
from bench.errors import UsageError
from bench.logs import log


def report(
    runs: Annotated[list[str], typer.Argument(help="Run ids, as in `bench list runs`.")],
    html: Annotated[
        bool, typer.Option("--html", help="One page that works offline, instead of tables.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="File of the page. Default: report-RUN.html here.")
    ] = None,
    pictures: Annotated[
        bool,
        typer.Option(
            "--pictures/--no-pictures",
            help="Whether the page shows pictures and captions of the data, members among them.",
        ),
    ] = True,
    store: o.StoreDir = None,
    form: o.Form = "table",
) -> None:
    """What finished runs found: rows, ROC, privacy against utility, who is exposed, gates.

    Nothing is computed but figures from what the store holds. Example: bench report 0f01b58c
    --html
    """
    from bench.cli.computing import read_store
    from bench.reports.report import report as made_of
    from bench.reports.text import text
    from bench.runs import find

    shape = o.form(form)
    if html and shape != "table":
        raise UsageError(f"--html is a page of its own; leave out --format {shape}")
    if out is not None and not html:
        raise UsageError("--out is the file of the page; add --html")
    place = read_store(store)
    found = [find(place, run) for run in dict.fromkeys(runs)]
    made = made_of(place, found, shows_pictures=html and pictures)
    if not html:
        print(text(made, shape))
        return
    from bench.reports.page import page

    path = _write(out or Path(f"report-{found[0].id}.html"), page(made))
    print(path)
    size = path.stat().st_size / 1e6
    what = "; it shows pictures of the training set" if pictures else ""
    log.info(f"{size:.1f} MB, opens in any browser, offline{what}")


def _write(path: Path, text: str) -> Path:
    """UsageError where the file cannot be written."""
    from bench.files import full_disk_is_told, write_atomic

    if path.is_dir():
        raise UsageError(f"--out {path} is a folder; name a file, as {path / 'report.html'}")
    try:
        with full_disk_is_told(path.parent):
            write_atomic(path, text.encode())
    except OSError as error:
        raise UsageError(
            f"cannot write {path} ({error.strerror}); name another file with --out"
        ) from None
    return path
