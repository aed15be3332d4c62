"""`bench new` and `bench test`: begin a plugin of one's own, and hold one to the contract."""

from __future__ import annotations

import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import options as o
from bench.errors import BenchError, UsageError, unknown
from bench.paths import expanded

if TYPE_CHECKING:
    from bench.plugins import Kind

KINDS = ("attack", "defense")


def new(
    kind: Annotated[str, typer.Argument(help="attack or defense.")],
    name: Annotated[str, typer.Argument(help="Its name: lower-case letters, digits and '_'.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")] = Path(),
    plugins: o.Plugins = None,
    form: o.Form = "table",
) -> None:
    """Write a plugin that works, with its test and its card, to begin from."""
    from bench.boards.tables import render
    from bench.contract.beginning import begin

    shape = o.form(form)
    written = [str(path) for path in begin(_kind(kind), name, expanded(out), plugins or [])]
    if shape == "table":
        print(*written, sep="\n")
    else:
        print(render([{"file": file} for file in written], shape))
    print(f"next: bench test {out / name}.py", file=sys.stderr)


def check(
    plugin: Annotated[
        str,
        typer.Argument(help="./mine.py, ./mine.py:Name, or a name; with \\[param=value,...]."),
    ],
    plugins: o.Plugins = None,
    form: o.Form = "table",
) -> None:
    """Hold an attack or a defense to the contract, on a model of a megabyte; exit 1 if it fails."""
    import torch

    from bench.boards.tables import render
    from bench.contract import outcomes

    shape, records = o.form(form), []
    kinds = _kinds(plugin, plugins or [])
    torch.set_num_threads(1)  # as a run does
    for kind in kinds:
        if shape == "table":
            print(f"{kind} {plugin}")
        for outcome in outcomes(kind, plugin, plugins or []):
            records.append({"kind": kind, **asdict(outcome)})
            if shape == "table":
                print(f"  {outcome}", flush=True)
    if shape != "table":
        print(render(records, shape))
    if failed := sum(record["state"] == "failed" for record in records):
        raise BenchError(f"{plugin} does not keep the contract: {failed} failed, see above")


def _kind(word: str) -> Kind:
    if word == "attack":
        return "attack"
    if word == "defense":
        return "defense"
    raise unknown("kind of plugin", word, KINDS)


def _kinds(text: str, folders: list[Path]) -> list[Any]:
    """Attack, defense, or both where a name or a file is both; UsageError where it is neither."""
    from bench.plugins import resolve

    found, errors = [], []
    for kind in (_kind(word) for word in KINDS):
        try:
            resolve(kind, text, folders)
            found.append(kind)
        except UsageError as error:
            errors.append(re.sub("^no (attack|defense) file", "no file", str(error)))
    if not found:
        # Of the two the one that helps: what is wrong with the one meant, or a near name.
        strange = re.compile(r"no (attack|defense) named|.* defines 0 ")
        meant = [error for error in errors if not strange.match(error)]
        near = [error for error in errors if "did you mean" in error]
        raise UsageError((meant or near or errors)[0])
    return found
