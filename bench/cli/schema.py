"""`bench schema`: what `--format json` prints, as JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bench.errors import UsageError, unknown


def schema(
    verb: Annotated[str | None, typer.Argument(help="A verb that has --format.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write those of all verbs to this folder instead.")
    ] = None,
) -> None:
    """Print the JSON Schema of what a verb prints with --format json (docs/schemas has them)."""
    from bench.files import make_folder
    from bench.schemas import SCHEMAS
    from bench.schemas import schema as of

    if out is not None:
        for name in SCHEMAS:
            text = json.dumps(of(name), indent=1) + "\n"
            (make_folder(out, "--out") / f"{name}.json").write_text(text, encoding="utf-8")
        return
    if verb is None:
        raise UsageError(f"name a verb: {', '.join(SCHEMAS)}")
    if verb not in SCHEMAS:
        raise unknown("verb with a schema", verb, SCHEMAS)
    print(json.dumps(of(verb), indent=1))
