"""`bench compare`: two entries pair by pair."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options as o


def compare(
    first: Annotated[Path, typer.Argument(help="Folder of an entry.")],
    second: Annotated[Path, typer.Argument(help="Folder of another one.")],
    form: o.Form = "table",
) -> None:
    """By how much two models leak differently, under every attacker that both met.

    On the same pairs, so that the difference is known better than either figure. Example: bench
    compare leaderboards/entries/none leaderboards/entries/shuffle
    """
    from bench.boards.comparison import compared
    from bench.boards.tables import render
    from bench.entries.load import load

    shape = o.form(form)
    one, other = load(first), load(second)
    notes = [
        f"{one.about.title} minus {other.about.title}, in points; 95 % intervals within seeds; p "
        "after Holm over the attackers. How trainings differ is not in them (`seed SD` on boards)."
    ]
    print(render(compared(one, other), shape, notes))
