"""`bench why`: what went into a key, and the difference between two."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from bench.cli import options as o
from bench.cli.computing import read_store


def why(
    key: Annotated[str, typer.Argument(help="A stage's key or its beginning (`bench plan`).")],
    other: Annotated[str | None, typer.Argument(help="Another key: only differences.")] = None,
    store: o.StoreDir = None,
    form: o.Form = "table",
) -> None:
    """What a stored stage's key is a hash of, and when it was made; or why two keys differ.

    A difference in a stage below is told with the way to it. What is in no key (paths, hardware,
    time) is told under `made` and never compared.
    """
    from bench.boards.tables import render
    from bench.explaining import circumstances, difference, facts, find_key

    place, shape = read_store(store), o.form(form)
    first = find_key(place, key)
    if other is None:
        told = facts(place, *first) | circumstances(place, *first)
        records = [{"what": name, "value": value} for name, value in told.items()]
        notes = [f"{first[0]} {first[1]}"]
    else:
        second = find_key(place, other)
        records = difference(place, first, second)
        notes = [f"first: {first[0]} {first[1]}", f"second: {second[0]} {second[1]}"]
        if not records:
            notes.append("no difference")
    print(render(records if shape == "json" else [_plain(r) for r in records], shape, notes))


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    return {name: "-" if value is None else value for name, value in record.items()}
