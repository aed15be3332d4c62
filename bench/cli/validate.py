"""`bench validate`: do these entries hold? Needs no torch, no network and no store."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import options as o
from bench.errors import ValidationError

if TYPE_CHECKING:
    from bench.boards.tables import Format
    from bench.entries.problems import Problem
    from bench.entries.validate import Verdict

Dirty = Annotated[bool, typer.Option("--allow-dirty", help="Accept code changed after its commit.")]


def validate(
    paths: Annotated[list[Path], typer.Argument(help="Entries, or folders of entries.")],
    allow_dirty: Dirty = False,
    form: o.Form = "table",
) -> None:
    """Check entries: files, digests, ids, every figure recomputed; exit 3 if one does not hold."""
    from bench.entries.validate import validate as judge

    shape = o.form(form)
    verdict = judge(paths, allow_dirty=allow_dirty)
    show(verdict, shape)
    if verdict.problems:
        raise typer.Exit(ValidationError.exit_code)


def show(verdict: Verdict, form: Format) -> None:
    """A line a problem, or a line an entry where there is none; notes to stderr."""
    if form == "table":
        for problem in verdict.problems:
            print(problem)
        if not verdict.problems:
            for entry in verdict.entries:
                asked = f"attackers {len(entry.attackers)}, seeds {len(entry.seeds)}"
                print(f"{entry.name}: fine ({asked})")
    else:
        from bench.boards.tables import render

        fine = [{"entry": entry.name, "level": "fine"} for entry in verdict.entries]
        blank = dict.fromkeys(("where", "what", "todo"))
        records = [
            *_records("problem", verdict.problems),
            *_records("note", verdict.notes),
            *([one | blank for one in fine] if not verdict.problems else []),
        ]
        print(render(records, form))
    for note in verdict.notes if form == "table" else ():
        print(f"note: {note}", file=sys.stderr)


def _records(level: str, found: Sequence[Problem]) -> list[dict[str, Any]]:
    return [{"entry": one.entry, "level": level, **one._asdict()} for one in found]
