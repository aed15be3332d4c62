"""From a path to the plugins that the file defines: the only place where one is imported."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from types import ModuleType

from bench.api import Attack, Defense, ReferenceAttack
from bench.defending import LEVELS
from bench.errors import UsageError
from bench.parameters import told
from bench.plugins.plugin import BASES, NAME, Kind, Plugin


@cache
def load_module(path: Path) -> ModuleType:
    """The module at this path, under a name that no other file can take."""
    name = f"bench_plugin_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(f"{_package(path)}{name}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        with redirect_stdout(sys.stderr):  # stdout is for results
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module


def _package(path: Path) -> str:
    """`package.` of a file that lies in an importable one, so that its relative imports work."""
    names: list[str] = []
    folder = path.parent
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    if not names or not names[0].isidentifier():
        return ""
    top = importlib.util.find_spec(names[0])
    known = [Path(place).resolve() for place in (top and top.submodule_search_locations) or ()]
    return f"{'.'.join(names)}." if folder / names[0] in known else ""


def load_file(kind: Kind, path: Path, shipped: bool = False) -> list[Plugin]:
    """The plugins that a file defines; one entry with an error where it cannot be loaded."""
    path = path.resolve()
    try:
        module = load_module(path)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a plugin may raise anything, SystemExit too
        return [Plugin(kind, path.stem, path, error=told(error), shipped=shipped)]
    found = [
        _checked(kind, path, value, shipped)
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, BASES[kind])
        and value.__module__ == module.__name__
        and not value.__name__.startswith("_")
    ]
    names = [plugin.name for plugin in found]
    return [_refused_twin(p) if names.count(p.name) > 1 else p for p in found]


def _checked(kind: Kind, path: Path, cls: type, shipped: bool) -> Plugin:
    """A class without a usable name, or whose parameters lack type or default, is broken."""
    name = getattr(cls, "name", None)
    typed = [a for a, h in vars(cls).get("__annotations__", {}).items() if "ClassVar" not in str(h)]
    try:
        if name is not None and (not isinstance(name, str) or not NAME.fullmatch(name)):
            raise TypeError(f"the name {name!r} is not made of letters, digits, '_', '-' and '.'")
        if typed and "__dataclass_fields__" not in vars(cls):
            raise TypeError(f"'{typed[0]}' is no parameter without @dataclass above the class")
        made = cls()
        if isinstance(made, Defense):
            _check_defense(made)
        if isinstance(made, Attack) and not isinstance(made.queries, int | None):
            raise TypeError(f"queries is {made.queries!r}, no whole number")
        if isinstance(made, ReferenceAttack) and not isinstance(made.reference, str):
            raise TypeError(f"reference is {made.reference!r}, no text")
        presets = getattr(cls, "presets", {})
        if not all(isinstance(one, Mapping) for one in (presets, *dict(presets).values())):
            raise TypeError("presets must be parameters by name of the preset")
        if name is None:
            raise TypeError('it has no name; write name: ClassVar[str] = "..."')
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a constructor may raise anything
        said = f"{cls.__name__} is not usable: {told(error)}"
        listed = cls.__name__.lower() if name is None else str(name)
        return Plugin(kind, listed, path, error=said, shipped=shipped)
    return Plugin(kind, name, path, cls, shipped=shipped)


def _check_defense(made: Defense) -> None:
    if made.level not in LEVELS:
        raise TypeError(f"level is {made.level!r}, none of {', '.join(LEVELS)}")
    if not isinstance(made.excludes, Mapping):
        raise TypeError("excludes must be reasons by name of the defense")


def _refused_twin(plugin: Plugin) -> Plugin:
    """Of two classes of one file with one name, neither can be asked for."""
    said = plugin.error or f"two classes of this file are named '{plugin.name}'"
    return dataclasses.replace(plugin, cls=None, error=said)
