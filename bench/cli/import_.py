"""`bench import`: what another site packed, checked and taken in."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import options as o
from bench.cli.computing import check_folder, open_store, tell
from bench.errors import ValidationError
from bench.paths import expanded

if TYPE_CHECKING:
    from bench.archives.taking import Piece
    from bench.runs import Run


def import_(
    file: Annotated[Path, typer.Argument(help="An archive that `bench export` wrote.")],
    store: o.StoreDir = None,
    form: o.Form = "table",
) -> None:
    """Take the runs of an archive into the store: all of it is checked first.

    What is here already stays; what does not hold is refused, with exit code 3. Killed, the same
    command does it. Digests show that nothing was altered on the way, not that figures are true.
    """
    from bench.archives.taking import take_in
    from bench.boards.tables import render
    from bench.cli.moving import moving

    check_folder(store, "bench import")
    shape, place = o.form(form), open_store(store)
    with moving("reading") as begin:
        pieces = take_in(place, expanded(file), begin, _tell_absent)
    refused = [piece for piece in pieces if piece.state == "refused"]
    for piece in refused:
        tell(f"refused: {piece.what} {_name(piece)}: {piece.why}")
    counts = Counter(piece.state for piece in pieces)
    note = f"{place.root}: " + ", ".join(f"{counts[s]} {s}" for s in ("taken", "there", "refused"))
    records = [vars(piece) for piece in pieces] if shape == "json" else _by_kind(pieces)
    print(render(records, shape, [note]))
    if refused:
        raise ValidationError(
            f"{file}: {len(refused)} of {len(pieces)} pieces were refused, the first: "
            f"{_name(refused[0])}: {refused[0].why}; have it exported again"
        )


def _tell_absent(run: Run) -> None:
    from bench.archives.absent import absent

    if lacking := absent(run):
        tell(
            f"run {run.id} names what is not here: {', '.join(lacking)}; it can be listed and "
            "reported, and `bench run` and `bench submit` need that"
        )


def _by_kind(pieces: list[Piece]) -> list[dict[str, Any]]:
    counts = Counter((piece.kind, piece.state) for piece in pieces)
    return [
        {"kind": kind, **{state: counts[kind, state] for state in ("taken", "there", "refused")}}
        for kind in sorted({piece.kind for piece in pieces})
    ]


def _name(piece: Piece) -> str:
    return f"{piece.kind} {piece.key[:12]}"
