"""`bench submit`: from finished runs to entries, one for each attacked model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options as o
from bench.cli.validate import show
from bench.errors import ValidationError


def submit(
    runs: Annotated[list[str], typer.Argument(help="Run ids, as in `bench list runs`.")],
    out: Annotated[Path, typer.Option(help="Folder of entries.")] = Path("leaderboards/entries"),
    name: Annotated[
        str | None, typer.Option(help="Name of the entry, where the runs attack one model.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Its title on boards.")] = None,
    licence: Annotated[str, typer.Option(help="Licence of the entry.")] = "Apache-2.0",
    paper: Annotated[str | None, typer.Option(help="Link to a paper.")] = None,
    author: Annotated[list[str] | None, typer.Option(help="Who measured; repeatable.")] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Allow fewer seeds than 0,1,2; marked provisional.")
    ] = False,
    allow_dirty: Annotated[
        bool, typer.Option("--allow-dirty", help="Allow code changed after its commit; marked so.")
    ] = False,
    store: o.StoreDir = None,
    form: o.Form = "table",
) -> None:
    """Write an entry for every attacked model of these runs, all their attackers together.

    Prints the folders and checks what it wrote, as `bench validate` does.
    """
    from bench.boards.tables import render
    from bench.cli.computing import read_store
    from bench.entries.build import Wording, build
    from bench.entries.code import provenance
    from bench.entries.collect import models
    from bench.entries.places import check_place, named, write
    from bench.entries.validate import validate
    from bench.runs import find

    shape, place = o.form(form), read_store(store)
    found = models(place, [find(place, run) for run in dict.fromkeys(runs)], partial=partial)
    code = provenance()
    if code.dirty and not allow_dirty:
        raise ValidationError(
            "the code has changes that are not committed, so nobody could measure this again; "
            "commit them and run again, or add --allow-dirty"
        )
    wording = Wording(licence, title, paper, author or ())
    made = [build(model, called, wording, code) for called, model in named(found, name).items()]
    for document, _ in made:
        check_place(out, document)
    written = [write(out, document, scores) for document, scores in made]
    verdict = validate(written, allow_dirty=allow_dirty)
    notes = [str(note) for note in verdict.notes]
    if shape == "table":
        print(*written, sep="\n")
    elif not verdict.problems:
        print(render([{"entry": path.name, "path": str(path)} for path in written], shape, notes))
    if verdict.problems:
        show(verdict, shape)
        raise typer.Exit(ValidationError.exit_code)
    for note in notes if shape in ("table", "csv") else ():
        print(f"note: {note}", file=sys.stderr)
