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
) -> None:
    """Fetch data or a base from the hub, or check what is on disk in full; later runs need no net.

    Examples: bench fetch --for coco:annotations/captions_train2017.json; bench fetch --base
    stable-diffusion-v1-5/stable-diffusion-v1-5 --variant fp16
    """
    if what is None and base is None:
        raise UsageError("say what to fetch: --for DATA, --base BASE or both")
    if base is not None:
        _base(base, variant, offline)
    if what is not None:
        _data(what, offline)


def _base(name: str, variant: str | None, offline: bool) -> None:
    from bench.models.fetch import fetch_base

    found = fetch_base(name, variant, offline)
    print(f"base       {found.name}{f' --variant {variant}' if variant else ''}")
    print(f"folder     {found.folder}")
    print(f"files      {found.files}, {found.size / 2**30:.2f} GiB")
    print(f"identity   {found.identity}")


def _data(name: str, offline: bool) -> None:
    from bench.data.fetch import fetch_data

    found = fetch_data(name, offline)
    for field, line in found.lines.items():
        print(f"{field:10} {line}")
    if found.flaws:
        raise ValidationError("; ".join(found.flaws))
