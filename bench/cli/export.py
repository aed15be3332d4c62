"""`bench export`: runs of a store as one file for another site."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from bench.cli import options as o
from bench.cli.computing import check_folder, read_store
from bench.errors import UsageError, unknown
from bench.paths import expanded

if TYPE_CHECKING:
    from bench.archives.packing import Packed, What


def export(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN... FILE",
            help="Run ids (`bench list runs`), and the archive: a tar; with .gz compressed.",
        ),
    ],
    what: Annotated[
        str,
        typer.Option(
            help="rows: all that prints, reports, submits and audits figures, without weights and "
            "pictures; all: every stage."
        ),
    ] = "rows",
    store: o.StoreDir = None,
    form: o.Form = "table",
) -> None:
    """Pack runs into a file that `bench import` takes in at another site.

    Every stage is checked against its digests first. Example: bench export 0f01b58c runs.tar
    """
    from bench.archives.packing import gather, write
    from bench.boards.tables import render
    from bench.cli.moving import moving
    from bench.runs import find

    check_folder(store, "bench export")
    shape, wanted = o.form(form), _what(what)
    *ids, file = words
    if not ids:
        raise UsageError(f"{file}: name a run and then the file, as `bench export RUN runs.tar`")
    place = read_store(store)
    runs = [find(place, run) for run in dict.fromkeys(ids)]
    packed = gather(place, runs, wanted)
    with moving("packing") as begin:
        write(packed, expanded(file), begin(packed.size))
    unfinished = [f"run {run.id} has {run.finished(place)} of {len(run.metrics)} rows"
                  for run in runs if run.finished(place) < len(run.metrics)]  # fmt: skip
    size = expanded(file).stat().st_size / 2**20
    told = f"{file}: {', '.join(run.id for run in runs)}, {size:.1f} MB"
    print(render(_records(packed), shape, [told, *unfinished]))
    if shape == "csv":
        print(told, *unfinished, sep="\n", file=sys.stderr)


def _what(word: str) -> What:
    from bench.archives.packing import What

    for known in get_args(What):
        if word == known:
            return known  # type: ignore[no-any-return]
    raise unknown("choice of --what", word, get_args(What))


def _records(packed: Packed) -> list[dict[str, Any]]:
    """A line a kind."""
    kinds = sorted({name.split("/")[1] for name in packed.places})
    return [
        {
            "kind": kind,
            "whole": sum(one.kind == kind for one in packed.stages),
            "records": sum(one.kind == kind for one in packed.records),
            "size_mb": round(
                sum(size for name, size in packed.manifest.sizes().items()
                    if name.split("/")[1] == kind) / 2**20, 2
            ),
        }
        for kind in kinds
    ]  # fmt: skip
