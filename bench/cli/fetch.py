"""`bench fetch`: get what a run needs while there is a network, and check it."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli import options as o
from bench.errors import UsageError, ValidationError


def fetch(
    what: Annotated[
        str | None,
        typer.Option(
            "--for", help="A data set as after --data, or a card's name (`bench list data`)."
        ),
    ] = None,
    base: Annotated[str | None, typer.Option(help="A base as after --base of `bench run`.")] = None,
    variant: o.Variant = None,
    offline: o.Offline = False,
    form: o.Form = "table",
) -> None:
    """Fetch data or a base from the hub, or check what is on disk in full; later runs need no net.

    Examples: bench fetch --for coco:annotations/captions_train2017.json; bench fetch --base
    stable-diffusion-v1-5/stable-diffusion-v1-5 --variant fp16
    """
    from bench.boards.tables import render

    shape = o.form(form)
    if what is None and base is None:
        raise UsageError("say what to fetch: --for DATA, --base BASE or both")
    flaws: list[str] = []
    found = {} if base is None else {"base": _base(base, variant, offline)}
    if what is not None:
        found["data"], flaws = _data(what, offline)
    if shape == "table":
        for lines in found.values():
            print(*(f"{field:10} {line}" for field, line in lines.items()), sep="\n")
    else:
        records = [
            {"what": kind, "field": field, "found": line}
            for kind, lines in found.items()
            for field, line in lines.items()
        ]
        print(render(records, shape, flaws))
    if flaws:
        raise ValidationError("; ".join(flaws))


def _base(name: str, variant: str | None, offline: bool) -> dict[str, str]:
    from bench.models.fetch import fetch_base

    found = fetch_base(name, variant, offline)
    return {
        "base": f"{found.name}{f' --variant {variant}' if variant else ''}",
        "folder": str(found.folder),
        "files": f"{found.files}, {found.size / 2**30:.2f} GiB",
        "identity": found.identity,
    }


def _data(name: str, offline: bool) -> tuple[dict[str, str], list[str]]:
    from bench.data.fetch import fetch_data

    found = fetch_data(name, offline)
    return found.lines, found.flaws
