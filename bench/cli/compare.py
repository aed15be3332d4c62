"""`bench compare`: two attacked models pair by pair, from entries or from runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options as o
from bench.errors import UsageError, unknown

if TYPE_CHECKING:
    from bench.entries.entry import Entry


def compare(
    first: Annotated[
        str, typer.Argument(help="Folder of an entry, a run id, or RUN:MODEL where it has several.")
    ],
    second: Annotated[str, typer.Argument(help="Another one.")],
    store: o.StoreDir = None,
    form: o.Form = "table",
) -> None:
    """By how much two models leak differently, under every attacker that both met, and a verdict.

    On the same pairs, so that the difference is known better than either figure. Examples: bench
    compare leaderboards/entries/none leaderboards/entries/shuffle; bench compare 0f01b58c:none
    0f01b58c:del1
    """
    from bench.boards.comparison import RULE, compared, summary
    from bench.boards.tables import render

    shape = o.form(form)
    if first == second:
        raise UsageError(f"{first} is compared with itself; name another model")
    one, other = _opened(first, store), _opened(second, store)
    records = compared(one, other)
    notes = [
        f"{one.about.title} minus {other.about.title}, in points; 95 % intervals within seeds; p "
        "after Holm over the attackers. How trainings differ is not in them (`seed SD` on boards).",
        RULE,
        summary(records),
    ]
    print(render(records, shape, notes))


def _opened(word: str, store: str | None) -> Entry:
    """The entry in this folder, or what a run measured of one model."""
    from bench.entries.load import load

    run, _, model = word.partition(":")
    if Path(word).exists() or not run.isalnum():
        return load(Path(word))
    return _of_run(run, model, store)


def _of_run(run: str, model: str, store: str | None) -> Entry:
    from bench.cli.computing import read_store
    from bench.entries.gather import of_run
    from bench.runs import find

    place = read_store(store)
    found = {entry.about.title: entry for entry in of_run(place, find(place, run))}
    if model:
        if model not in found:
            raise unknown(f"model of run {run}", model, found)
        return found[model]
    if len(found) > 1:
        raise UsageError(
            f"run {run} attacked {len(found)} models; say which, as {run}:{next(iter(found))} "
            f"(it has {', '.join(found)})"
        )
    return next(iter(found.values()))
