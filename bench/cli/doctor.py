"""`bench doctor`: the environment, for a bug report."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version

from bench import __version__
from bench.cli import options as o

PACKAGES = (
    "torch", "diffusers", "transformers", "accelerate", "torchmetrics", "safetensors", "numpy",
    "scipy", "pandas", "pydantic", "typer", "rich", "pillow",
)  # fmt: skip


def doctor(store: o.StoreDir = None) -> None:
    """Versions, cores, devices, the store and its plugins; exit 1 if something is broken."""
    from bench.plugins import discover
    from bench.store import Store, default_root

    place = Store((store or default_root()).expanduser().resolve())
    missing = [name for name in PACKAGES if _version(name) is None]
    base, problems = _base()
    problems += [f"package {name} is not installed" for name in missing]
    for plugin in [*discover("attack"), *discover("defense")]:
        if plugin.error:
            problems.append(f"{plugin.kind} {plugin.name}: {plugin.error}")
    free = shutil.disk_usage(place.root).free / 2**30
    print(f"bench      {__version__} on Python {platform.python_version()}, {platform.platform()}")
    print(f"cores      {os.cpu_count()}")
    print(f"devices    {_devices() if 'torch' not in missing else 'unknown without torch'}")
    print(f"packages   {', '.join(f'{name} {_version(name)}' for name in PACKAGES)}")
    print(f"base       mini-sd {base}")
    print(f"store      {place.root}, {free:.1f} GiB free")
    for kind in ("train", "metrics"):
        print(f"           {sum(1 for _ in place.records(kind))} {kind} stages")
    for problem in problems:
        print(f"problem    {problem}")
    if problems:
        sys.exit(1)


def _base() -> tuple[str, list[str]]:
    """The identity of the embedded base, or what is wrong with it."""
    from bench.errors import BenchError
    from bench.models.base import EMBEDDED, base_folder, base_identity

    try:
        return base_identity(base_folder(EMBEDDED))[:12], []
    except BenchError as error:
        return "unusable", [str(error)]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _devices() -> str:
    import torch

    if not torch.cuda.is_available():
        return "cpu"
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return ", ".join(names)
