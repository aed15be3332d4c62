"""`bench config`: what a verb's flags are here, and where each value comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli import options as o
from bench.cli.verb import flags, options_of, origin
from bench.errors import unknown


def config(
    context: typer.Context,
    verb: Annotated[str, typer.Argument(help="The verb whose flags are shown.")] = "run",
    words: Annotated[
        list[str] | None, typer.Argument(help="Flags as they would be typed, after `--`.")
    ] = None,
    show_origin: Annotated[
        bool,
        typer.Option("--show-origin", help="Say which line, variable or default it is from."),
    ] = False,
    form: o.Form = "table",
) -> None:
    """Print the value of every flag of a verb as it stands in this folder and environment.

    Example: bench config run --show-origin -- --data scenes
    """
    from bench.boards.tables import render

    shape = o.form(form)
    records = settings(context, verb, words or [])
    kept = ("flag", "value", "origin") if show_origin else ("flag", "value")
    shown = [{name: record[name] for name in kept} for record in records]
    if shape not in ("json", "csv"):
        shown = [record | {"value": _plain(record["value"])} for record in shown]
    print(render(shown, shape))


def settings(context: typer.Context, verb: str, words: list[str]) -> list[dict[str, Any]]:
    """Flag, value and origin of every option of a verb."""
    group = context.parent.command if context.parent is not None else None
    known = options_of(group)
    if verb not in known:
        raise unknown("verb", verb, known)
    command = group.commands[verb]  # type: ignore[union-attr]
    optional = {o.name for o in flags(command).values()}
    needed = [o for o in command.params if o.required and o.name in optional]
    for option in needed:  # what a verb cannot do without is no fault of the configuration
        option.required = False
    read = command.make_context(verb, words, parent=context.parent, allow_extra_args=False)
    return [
        {"flag": flag, "value": _json(read.params.get(option.name)), "origin": origin(read, option)}
        for flag, option in known[verb].items()
    ]


def _json(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_json(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def _plain(value: Any) -> str:
    if value is None or value == []:
        return "-"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
