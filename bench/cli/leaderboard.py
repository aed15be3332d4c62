"""`bench leaderboard`: ranked Markdown from entries, or from what the store holds."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options as o
from bench.errors import UsageError, ValidationError

if TYPE_CHECKING:
    from bench.boards.leaderboard import Page


def leaderboard(
    entries: Annotated[Path, typer.Option(help="Folder of entries.")] = Path(
        "leaderboards/entries"
    ),
    from_store: Annotated[
        bool, typer.Option("--from-store", help="Rank the finished runs of the store instead.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the Markdown files; default: leaderboards for entries, none for the "
            "store, whose boards are printed."
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; exit 3 with a diff where a page is not so."),
    ] = False,
    store: o.StoreDir = None,
    form: o.Form = "md",
) -> None:
    """Rank the defenses and attacks of entries; writes two Markdown files a board.

    With --format table, json or csv the boards go to stdout and nothing is written.
    """
    from bench.boards.leaderboard import pages, render_pages
    from bench.cli.computing import read_store
    from bench.entries.gather import all_entries, of_store
    from bench.entries.schema import DOCUMENT

    shape = o.form(form)
    if from_store:
        found = of_store(read_store(store), partial(print, file=sys.stderr))
    elif (entries / DOCUMENT).exists():
        raise UsageError(f"{entries} is one entry; name the folder that holds it")
    else:
        found = all_entries(entries)
    if not found:
        missing = "" if from_store or entries.is_dir() else f"{entries} is no folder: "
        raise UsageError(
            f"{missing}no rows to rank: `bench run` makes them (not --preset quick), `bench submit "
            "RUN` makes entries of them, and --from-store ranks the runs of the store"
        )
    made = pages(found)
    place = out or (None if from_store else Path("leaderboards"))
    if check:
        _check(made, place or Path("leaderboards"))
    elif shape != "md":
        print(render_pages(made, shape))
    else:
        if place is not None:
            _write(made, place)
        for page in made:  # who reads it may leave before the end
            print(page.markdown())


def _write(made: Sequence[Page], place: Path) -> None:
    from bench.files import full_disk_is_told, make_folder, write_atomic

    for page in made:
        with full_disk_is_told(place):
            path = make_folder(place, "--out") / f"{page.name}.md"
            write_atomic(path, page.markdown().encode())
        print(path, file=sys.stderr)


def _check(made: Sequence[Page], out: Path) -> None:
    """ValidationError with a diff unless the pages are what the entries give."""
    from difflib import unified_diff

    names = {f"{page.name}.md" for page in made}
    wrong = [
        str(path)
        for kind in ("defenses", "attacks")
        for path in sorted(out.glob(f"*-{kind}.md"))
        if path.name not in names
    ]
    for stale in wrong:
        print(f"{stale}: no entries give this page")
    for page in made:
        path = out / f"{page.name}.md"
        try:
            committed = path.read_bytes()
        except OSError:
            wrong.append(str(path))
            print(f"{path}: missing or unreadable")
            continue
        if committed != page.markdown().encode():
            wrong.append(str(path))
            found, due = (_lines(data) for data in (committed, page.markdown().encode()))
            print(*unified_diff(found, due, str(path), "from the entries", lineterm=""), sep="\n")
    if wrong:
        raise ValidationError(
            f"{', '.join(wrong)}: not what the entries give; write them anew with `bench "
            "leaderboard`, and remove what no entry gives"
        )
    print(f"{len(made)} pages are what their entries give", file=sys.stderr)


def _lines(data: bytes) -> list[str]:
    """As they are, or with all signs shown where some would not be seen."""
    text = data.decode(errors="backslashreplace")
    plain = text.endswith("\n") and all(map(str.isprintable, text.split("\n")))
    return [line.rstrip("\n") if plain else ascii(line) for line in text.splitlines(keepends=True)]
