"""A file of requests: what a board is made of, one line of `bench run` options each."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bench.cli.verb import wording
from bench.errors import UsageError

if TYPE_CHECKING:
    from bench.request import Request

OF_ALL = ("--store", "--workers", "--processes", "--track", "--format", "--requests")
"""Options that belong to the whole run."""


def read_lines(path: Path, read: Callable[..., Any], store: str | None) -> dict[str, Request]:
    """The requests of the file by their place in it; `#` begins a remark.

    UsageError names file and line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--requests {path} cannot be read: {error}; name a text file, a request a line"
        ) from None
    single = typer.Typer(add_completion=False)
    single.command()(read)
    command, found = typer.main.get_command(single), {}
    for number, line in enumerate(lines, 1):
        try:
            words = shlex.split(line, comments=True)
            if strange := [word for word in words if word.partition("=")[0] in OF_ALL]:
                raise UsageError(
                    f"{strange[0]} belongs to the whole run, not to a line; give it with --requests"
                )
            if "--help" in words:
                raise UsageError("--help is no request; leave it out")
            if words:
                context = command.make_context("line", words)
                options = context.params | {"context": context, "store": store}
                [found[f"{path}:{number}"]] = read(**options).requests
        except (ValueError, UsageError, typer.TyperException) as error:
            said = wording(error)
            if not isinstance(error, (UsageError, typer.TyperException)):  # a quotation mark
                said = f"{said}; close it or escape it"
            raise UsageError(f"{path}:{number}: {said}") from None
    if not found:
        raise UsageError(
            f"--requests {path} holds no request; write options of `bench run`, a request a line"
        )
    return found
