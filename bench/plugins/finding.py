"""Where attacks and defenses are looked for: shipped folders, a user's folders, packages."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from bench.errors import UsageError
from bench.plugins.installed import installed, loaded
from bench.plugins.loading import load_file
from bench.plugins.plugin import PLURAL, Kind, Plugin
from bench.plugins.vouching import load_foreign, refused

HOME = Path(__file__).resolve().parents[1]


def shipped_folder(kind: Kind) -> Path:
    """`bench/_shipped/<kind>s` of an installed wheel, `<kind>s/` of a checkout."""
    inside = HOME / "_shipped" / PLURAL[kind]
    return inside if inside.is_dir() else HOME.parent / PLURAL[kind]


@cache
def shipped(kind: Kind) -> tuple[Plugin, ...]:
    """The plugins of the suite itself, which do not change while a process lives."""
    files = _files(shipped_folder(kind))
    return tuple(plugin for path in files for plugin in load_file(kind, path, shipped=True))


def discover(
    kind: Kind, folders: Iterable[Path] = (), name: str | None = None, *, load: bool = True
) -> list[Plugin]:
    """Shipped plugins, those of the user's folders, and those of installed packages, by name.

    With `name`, foreign files that cannot hold it are not loaded: one that hangs or is broken is no
    concern of who asks for another. Without `load`, packages are listed and not imported.
    """
    found, folders = list(shipped(kind)), list(folders)
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(
                f"plugin folder {folder} does not exist; make it, or name another with --plugins"
            )
    files = [path for folder in folders for path in _files(folder) if _may_hold(path, name)]
    with ThreadPoolExecutor(4) as side_by_side:  # each waits for a process that tries the import
        list(side_by_side.map(refused, files))
    found += [plugin for path in files for plugin in load_foreign(kind, path)]
    packaged = installed(kind, name)
    found += [loaded(plugin) for plugin in packaged] if load else packaged
    return sorted(found, key=lambda plugin: plugin.name)


def _files(folder: Path) -> list[Path]:
    """The Python files of a folder but helpers (`_*.py`) and tests (`test_*.py`)."""
    return sorted(p for p in folder.glob("*.py") if not p.name.startswith(("_", "test_")))


def _may_hold(path: Path, name: str | None) -> bool:
    try:
        return name is None or path.stem == name or name.encode() in path.read_bytes()
    except OSError:  # told where all are listed
        return False
