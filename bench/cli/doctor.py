"""`bench doctor`: the environment, for a bug report."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bench import __version__
from bench.cli import options as o
from bench.cli.configuration import find
from bench.cli.verb import NAMED

if TYPE_CHECKING:
    from bench.store import Store

PACKAGES = (
    "torch", "diffusers", "transformers", "accelerate", "torchmetrics", "safetensors", "numpy",
    "scipy", "pandas", "pydantic", "typer", "rich", "pillow",
)  # fmt: skip


def doctor(
    context: typer.Context,
    store: o.StoreDir = None,
    plugins: o.Plugins = None,
    form: o.Form = "table",
) -> None:
    """Versions, devices, caches, plugins, configuration; exit 1 if something is broken.

    All of it belongs into a bug report. Nothing is sent anywhere.
    """
    from bench.boards.tables import render
    from bench.cli.computing import open_store

    place, shape = open_store(store, made=False), o.form(form)
    missing = [name for name in PACKAGES if _version(name) is None]
    base, problems = _base()
    problems += [f"package {name} is not installed" for name in missing]
    found, broken = _plugins(plugins or [])
    problems += broken
    there = next(p for p in (place.root, *place.root.parents) if p.is_dir())
    free = shutil.disk_usage(there).free / 2**30
    if not os.access(there, os.W_OK):
        problems.append(f"the store {place.root} may not be written; name another with --store")
    yet = "" if there == place.root else ", not there yet"
    facts = [
        ("bench", f"{__version__} on Python {platform.python_version()}, {platform.platform()}"),
        ("cores", str(os.cpu_count())),
        ("devices", _devices() if "torch" not in missing else "unknown without torch"),
        ("packages", ", ".join(f"{name} {_version(name)}" for name in PACKAGES)),
        ("base", f"mini-sd {base}"),
        ("store", f"{place.root}{yet}, {free:.1f} GiB free"),
        *(("", f"{len(place.keys(kind))} {kind} stages") for kind in ("train", "metrics")),
        *(("cache", line) for line in _caches(place)),
        ("plugins", found),
        ("config", _configuration(context)),
        *(("problem", problem) for problem in problems),
    ]
    if shape == "table":
        print(*(f"{what:10} {value}" for what, value in facts), sep="\n")
    else:
        print(render([{"what": what, "value": value} for what, value in facts], shape))
    if problems:
        sys.exit(1)


def _plugins(folders: list[Path]) -> tuple[str, list[str]]:
    """How many there are and where the user's lie; what is wrong with them."""
    from bench.plugins import discover

    found = [*discover("attack", folders), *discover("defense", folders)]
    usable = [plugin for plugin in found if plugin.cls]
    own = [f"{plugin.name} ({plugin.path})" for plugin in usable if not plugin.shipped]
    counts = [
        f"{sum(p.kind == 'attack' for p in usable)} attacks",
        f"{sum(p.kind == 'defense' for p in usable)} defenses",
    ]
    wrong = [f"{p.kind} {p.name} ({p.path}): {p.error}" for p in found if p.error]
    return ", ".join([*counts, *own]), wrong


def _caches(store: Store) -> list[str]:
    """Folders of what is made or fetched anew when it is needed, with their sizes."""
    from platformdirs import user_cache_path

    places = (store.root / "cache", user_cache_path("t2i-defense-bench") / "weights")
    return [f"{place}, {_megabytes(place):.1f} MB" for place in places if place.is_dir()]


def _megabytes(folder: Path) -> float:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 2**20


def _configuration(context: typer.Context) -> str:
    """The file and the variables in effect, values of variables left out."""
    file = find(context.meta.get(NAMED))
    said = sorted(name for name in os.environ if name.startswith("BENCH_"))
    return ", ".join([str(file.path.resolve()) if file else "no file", *said])


def _base() -> tuple[str, list[str]]:
    """The identity of the embedded base, or what is wrong with it."""
    from bench.errors import BenchError
    from bench.models.base import EMBEDDED, base_folder, base_identity

    try:
        return base_identity(base_folder(EMBEDDED))[:12], []
    except BenchError as error:
        return "unusable", [str(error)]


def _version(name: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

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
