"""All checks of one plugin, on a base made for it."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import redirect_stderr
from pathlib import Path

from bench.contract.attack import ATTACK
from bench.contract.base import write_base
from bench.contract.common import COMMON, Case
from bench.contract.defense import DEFENSE
from bench.contract.outcome import Outcome, run
from bench.errors import UsageError
from bench.plugins import Kind, resolve


def outcomes(kind: Kind, text: str, folders: Iterable[Path] = ()) -> Iterator[Outcome]:
    """How each check of `name[param=value]`, `./mine.py` or `./mine.py:Name` ends, as it ends.

    UsageError if there is no such plugin, or if its file cannot be loaded.
    """
    component = resolve(kind, text, folders)
    if component.parts:
        raise UsageError(f"{text} is several defenses together; test one at a time")
    with tempfile.TemporaryDirectory() as folder:
        with redirect_stderr(io.StringIO()):  # progress of a file written
            base = write_base(Path(folder, "base"))
        case = Case(kind, component, base)
        yield from run(COMMON + (ATTACK if kind == "attack" else DEFENSE), case)


def broken(kind: Kind, text: str | Path) -> list[Outcome]:
    """The checks that fail; none should."""
    return [one for one in outcomes(kind, str(text)) if one.state == "failed"]
