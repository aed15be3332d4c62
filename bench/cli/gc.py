"""`bench gc`: what of a store nobody needs any more."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from bench.cli import options as o
from bench.cli.computing import read_store
from bench.errors import UsageError

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def gc(
    yes: Annotated[bool, typer.Option("--yes", help="Delete it. Without this: only say.")] = False,
    older_than: Annotated[
        str, typer.Option(help="Leave what was changed later: 30m, 12h, 7d.")
    ] = "1d",
    store: o.StoreDir = None,
    form: o.Form = "table",
) -> None:
    """What no run and no row refers to, partial folders, caches: shown, and deleted with --yes.

    A run whose request was asked again after code or data had changed is superseded and goes with
    the rows that only it has. Nothing goes that a run in progress needs.
    """
    from bench.boards.tables import render
    from bench.garbage import garbage, remove

    shape, seconds, place = o.form(form), _seconds(older_than), read_store(store)
    pieces = (remove if yes else garbage)(place, seconds)
    records = [
        {
            "what": piece.what,
            "size_mb": round(piece.size / 2**20, 2),
            "why": piece.why,
            "path": str(piece.path.relative_to(place.root)),
        }
        for piece in pieces
    ]
    total = f"{len(pieces)} pieces, {sum(piece.size for piece in pieces) / 2**20:.1f} MB"
    end = "deleted" if yes else "nothing was deleted: `bench gc --yes` does"
    notes = [f"{total} in {place.root}; {end}" if pieces else f"nothing to delete in {place.root}"]
    print(render(records, shape, notes) if records or shape in ("json", "csv") else notes[0])


def _seconds(text: str) -> float:
    said = re.fullmatch(r"(\d+)([smhd])", text.strip())
    if said is None:
        raise UsageError(f"--older-than {text}: write a number and s, m, h or d, e.g. 7d")
    return float(said[1]) * UNITS[said[2]]
