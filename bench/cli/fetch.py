"""`bench fetch`: get what a run needs while there is a network."""

from __future__ import annotations

from bench.cli import options as o


def fetch(
    base: o.BaseModel = "mini-sd", variant: o.Variant = None, offline: o.Offline = False
) -> None:
    """Download a base from the hub and check its bytes; later runs need no network.

    Example: bench fetch --base stable-diffusion-v1-5/stable-diffusion-v1-5 --variant fp16
    """
    from bench.models.fetch import fetch_base

    found = fetch_base(base, variant, offline)
    print(f"base       {found.name}{f' --variant {variant}' if variant else ''}")
    print(f"folder     {found.folder}")
    print(f"files      {found.files}, {found.size / 2**30:.2f} GiB")
    print(f"identity   {found.identity}")
