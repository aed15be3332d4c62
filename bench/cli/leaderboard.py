"""`bench leaderboard`: ranked Markdown from what the store holds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options as o
from bench.errors import UsageError


def leaderboard(
    out: Annotated[Path, typer.Option(help="Folder for the Markdown files.")] = Path(
        "leaderboards"
    ),
    store: o.StoreDir = None,
    form: o.Form = "md",
) -> None:
    """Rank the defenses and attacks of the store; writes one Markdown file a data set.

    With --format table, json or csv the boards go to stdout and nothing is written.
    """
    from bench.boards.leaderboard import boards, render_boards
    from bench.store import Store, default_root, full_disk_is_told, make_folder, write_atomic

    shape = o.form(form)
    place = Store((store or default_root()).expanduser().resolve())
    made = boards(place.records("metrics"))
    if not made:
        raise UsageError(
            f"no rows to rank in {place.root}; `bench run` makes them (not --preset quick)"
        )
    if shape != "md":
        print(render_boards(made, shape))
        return
    for board in made:
        with full_disk_is_told(out):
            page = make_folder(out, "--out") / f"{board.name}.md"
            write_atomic(page, board.markdown().encode())
        print(page, file=sys.stderr)
        print(board.markdown())
