"""`bench fetch`: get what a run needs while there is a network, and check it."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.errors import ValidationError


def fetch(
    what: Annotated[
        str,
        typer.Option(
            "--for", help="A data set as after --data, or a card's name (`bench list data`)."
        ),
    ],
) -> None:
    """Fetch data from the hub, or check data on disk in full: counts, captions, sides, identity.

    Example: bench fetch --for coco:annotations/captions_train2017.json
    """
    from bench.data.fetch import fetch_data

    found = fetch_data(what)
    for name, line in found.lines.items():
        print(f"{name:10} {line}")
    if found.flaws:
        raise ValidationError("; ".join(found.flaws))
