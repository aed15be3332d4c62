"""Attacks and defenses of installed packages, by their entry points `bench.attacks`, `.defenses`.

An entry point `name = "package.module:Class"` is followed to the file of its module without
importing anything, so that listing stays quick and a package that nobody asks for cannot harm.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from bench.plugins.plugin import PLURAL, Kind, Plugin
from bench.plugins.vouching import load_foreign


def installed(kind: Kind, name: str | None = None) -> list[Plugin]:
    """Those that packages bring, not loaded yet; by name if there is one."""
    points = _points(f"bench.{PLURAL[kind]}", tuple(sys.path))
    return [_found(kind, point) for point in points if name in (None, point.name)]


@cache
def _points(group: str, _places: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Read once for all the names of a command: it takes a look at every installed package."""
    return tuple(entry_points(group=group))


def loaded(plugin: Plugin) -> Plugin:
    """The same with its class, or with the reason why there is none."""
    if plugin.error:
        return plugin
    inside = load_foreign(plugin.kind, plugin.path)
    failed = [one for one in inside if one.error and one.name in (plugin.name, plugin.path.stem)]
    for one in inside:
        if one.cls and one.cls.__name__ == plugin.attribute:
            error = None
            if one.name != plugin.name:
                error = f"its entry point calls it '{plugin.name}', the class '{one.name}'"
            return dataclasses.replace(plugin, cls=None if error else one.cls, error=error)
    said = failed[0].error if failed else f"{plugin.path} has no {plugin.kind} {plugin.attribute}"
    return dataclasses.replace(plugin, error=said)


def _found(kind: Kind, point: EntryPoint) -> Plugin:
    path, package = _file(point), f"{point.dist.name} {point.dist.version}" if point.dist else ""
    error = None if path else f"package {package} has no module {point.module}"
    place = path or Path(point.module)
    return Plugin(kind, point.name, place, error=error, package=package, attribute=point.attr)


def _file(point: EntryPoint) -> Path | None:
    """The file of the module: where the package was put, or where its finder says (editable)."""
    names = point.module.split(".")
    folders = [Path(str(point.dist.locate_file("")))] if point.dist else []
    top = importlib.util.find_spec(names[0])  # of a top-level name this imports nothing
    if top is not None and top.origin:
        folders += [Path(place).parent for place in top.submodule_search_locations or [top.origin]]
    for folder in folders:
        stem = folder.joinpath(*names)
        for path in (stem.with_name(f"{stem.name}.py"), stem / "__init__.py"):
            if path.is_file():
                return path.resolve()
    return None
