"""`bench status`: what is running in a store, how far it is, what failed."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import options as o
from bench.cli.computing import read_store

if TYPE_CHECKING:
    from bench.boards.tables import Format
    from bench.store import Store

SECONDS = 2.0
"""Between two looks at a store on a terminal."""
SECONDS_OF_LINES = 30.0
"""The same where the output goes to a file."""


def status(
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again and again, until nothing is running.")
    ] = False,
    store: o.StoreDir = None,
    form: o.Form = "table",
) -> None:
    """What is running in this store: rows and stages done, minutes left, and what failed.

    Unfinished runs are shown, running or stopped (`bench resume` goes on with one). What a run
    said is in STORE/logs/RUN.log.
    """
    place, shape = read_store(store), o.form(form)
    if not watch:
        print(_text(place, _look(place), shape))
        return
    with suppress(KeyboardInterrupt):  # how a watcher leaves
        if sys.stdout.isatty() and shape == "table":
            _watch_live(place)
        else:
            _watch_lines(place, shape)


def _look(store: Store) -> list[dict[str, Any]]:
    from bench.activity import watched
    from bench.estimates import Estimator

    estimator = Estimator(store)
    return [one.state(store, estimator) for one in watched(store)]


def _text(store: Store, records: list[dict[str, Any]], shape: Format) -> str:
    from bench.boards.tables import render
    from bench.runs import saved

    if records or shape in ("json", "csv"):
        return render(_short(records, shape), shape, [f"store: {store.label}"])
    return f"nothing is running in {store.label}; finished runs: {len(saved(store))}"


def _short(records: list[dict[str, Any]], shape: Format) -> list[dict[str, Any]]:
    """For eyes, without columns in which nothing stands."""
    if shape in ("json", "csv"):
        return records
    kept = [name for name in records[0] if any(r[name] is not None for r in records)]
    return [{name: record[name] for name in kept} for record in records]


def _running(records: list[dict[str, Any]]) -> bool:
    return any(record["state"] == "running" for record in records)


def _watch_lines(store: Store, shape: Format) -> None:
    while True:
        records = _look(store)
        print(_text(store, records, shape), flush=True)
        if not _running(records):
            return
        time.sleep(SECONDS_OF_LINES)


def _watch_live(store: Store) -> None:
    from rich.live import Live
    from rich.text import Text

    with Live(Text(""), auto_refresh=False) as live:
        while True:
            records = _look(store)
            live.update(Text(_text(store, records, "table")), refresh=True)
            if not _running(records):
                return
            time.sleep(SECONDS)
