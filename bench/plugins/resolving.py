"""From the text of a command to components, and from components back to objects."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.api import ReferenceAttack
from bench.composition import ordered
from bench.errors import UsageError, unknown
from bench.parameters import label, make, parse
from bench.paths import expanded
from bench.plugins.finding import discover
from bench.plugins.loading import load_file
from bench.plugins.plugin import PLURAL, Kind, Plugin
from bench.plugins.sources import source_digest
from bench.plugins.vouching import load_foreign
from bench.specs import Component
from bench.sweeps import Sets, apply_sets, swept

JOINT = re.compile(r"\+(?![^\[]*\])")
CALL = re.compile(r"(?P<name>[^\[\]]+)(\[(?P<params>.*)\])?")


def _refuse_collisions(found: list[Plugin], name: str) -> None:
    places = {
        str(p.path): f"{p.path} of {p.package}" if p.package else str(p.path)
        for p in found
        if p.name == name and p.cls
    }
    if len(places) > 1:
        told = " and ".join(places[path] for path in sorted(places))
        raise UsageError(f"two plugins are named '{name}': {told}; rename one")


def resolve(kind: Kind, text: str, folders: Iterable[Path] = ()) -> Component:
    """`name`, `name[param=value,...]`, `./file.py`, `./file.py:Name[...]` -> a component.

    Defenses joined by `+` go together, in an order of their own.
    """
    texts = joined(text) if kind == "defense" else [text]
    found = [_resolve_one(kind, one, folders) for one in texts]
    if len(found) == 1:
        return found[0][0]
    parts = [found[i][0] for i in ordered([made for _, made in found])]
    return Component(
        name="+".join(part.name for part in parts),
        source="",
        path="",
        label="+".join(part.label for part in parts),
        parts=tuple(parts),
    )


def components(
    kind: Kind,
    names: Sequence[str],
    folders: Iterable[Path] = (),
    say: Callable[[str], None] = lambda line: None,
    sets: Sets | None = None,
) -> list[Component]:
    """`resolve` for each text, or for all there are; none may be asked for twice.

    Values that are `sets` beside a component join its own, and a sweep is several components.
    `say` is told which of all there are cannot be loaded, and why.
    """
    parts = [apply_sets(one, sets or {}) for one in spelled(kind, names, folders, say)]
    found = [resolve(kind, text, folders) for one in parts for text in swept(one)]
    labels = [component.label for component in found]
    for label_ in labels:
        if labels.count(label_) > 1:
            places = sorted({one.path for one in found if one.label == label_} - {""})
            told = f" ({' and '.join(places)}: rename one)" if len(places) > 1 else ""
            raise UsageError(f"{kind} {label_} is asked for twice{told}; leave one out")
    return found


def spelled(
    kind: Kind,
    names: Sequence[str],
    folders: Iterable[Path] = (),
    say: Callable[[str], None] = lambda line: None,
) -> list[list[str]]:
    """What was asked for, each as its joined parts; `all` alone is all there are."""
    if list(names) != ["all"]:
        return [joined(name) if kind == "defense" else [name] for name in names]
    everything = discover(kind, folders)
    for plugin in everything:
        if plugin.error:
            say(f"left out {kind} {plugin.name}: {plugin.error} ({plugin.path})")
    return [[plugin.name] for plugin in everything if plugin.cls]


def joined(text: str) -> list[str]:
    """`one+other[p=0.1]` -> its parts; the path of a file may hold a plus of its own."""
    parts: list[str] = []
    for piece in JOINT.split(text):
        # A path goes on until its `.py`: `./c++/mine.py:Mine`, `./a+b.py`.
        open_path = bool(parts) and "/" in parts[-1] and ".py" not in parts[-1]
        parts = [*parts[:-1], f"{parts[-1]}+{piece}"] if open_path else [*parts, piece]
    return parts


def _resolve_one(kind: Kind, text: str, folders: Iterable[Path]) -> tuple[Component, Any]:
    match = CALL.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"cannot read {kind} '{text}'; write name[param=value,...]")
    name, given = match["name"].strip(), parse(f"{kind} '{text}'", match["params"])
    of_file = ".py" in name or "/" in name
    plugin = _from_file(kind, name) if of_file else _named(kind, name, folders)
    made = make(kind, plugin.name, plugin.usable(), given)
    params = {name: _in_json(getattr(made, name)) for name, _, _ in plugin.params()}
    reference = _reference(made)
    if reference:  # one place, one cell, however its path was spelled
        params["reference"] = made.reference = reference
    component = Component(
        name=plugin.name,
        params=params,
        source=source_digest(plugin.path, made),
        path=str(plugin.path),
        label=label(plugin.name, made),
        reference=reference,
    )
    return component, made


def _in_json(value: Any) -> Any:
    """Infinity is no number of JSON; the parameter's type reads it back from its name."""
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def _reference(made: Any) -> str | None:
    """The model that a reference-calibrated attack compares with, a path in full."""
    if not isinstance(made, ReferenceAttack) or not made.reads_reference:
        return None
    named = made.reference
    if named in ("shadow", "base"):
        return named
    path = expanded(named).resolve()
    if not path.is_file() or path.suffix != ".safetensors":
        raise UsageError(
            f"{made.name}: reference '{named}' is neither shadow nor base nor a file of a U-Net's "
            "weights (.safetensors)"
        )
    return str(path)


def _from_file(kind: Kind, text: str) -> Plugin:
    match = re.fullmatch(r"(?P<path>.+?\.py)(:(?P<name>\w[\w.-]*))?", text)
    path = expanded(match["path"] if match else text)
    if not match or not path.is_file():
        raise UsageError(f"no {kind} file {path}; give the path of a Python file")
    found = load_foreign(kind, path)
    if name := match["name"]:
        found = [p for p in found if name in (p.name, p.cls.__name__ if p.cls else "")] or [
            p for p in found if p.error
        ]
        if not found:
            raise unknown(kind, name, [p.name for p in load_file(kind, path)], f"in {path}")
    if len(found) != 1:
        names = ", ".join(p.name for p in found)
        hint = (
            f"name one: {path}:NAME ({names})"
            if found
            else f"derive a class from bench.{kind.title()}"
        )
        raise UsageError(f"{path} defines {len(found)} {PLURAL[kind]}; {hint}")
    found[0].usable()
    return found[0]


def _named(kind: Kind, name: str, folders: Iterable[Path]) -> Plugin:
    """The plugin of this name; all foreign files are loaded only where none says that it has it."""
    folders = list(folders)
    found: list[Plugin] = []
    for limit in (name, None):
        found = discover(kind, folders, limit)
        _refuse_collisions(found, name)
        named = [plugin for plugin in found if plugin.name == name]
        for plugin in sorted(named, key=lambda plugin: plugin.cls is None):
            plugin.usable()
            return plugin
    if Path(f"{name}.py").is_file():
        raise UsageError(f"no {kind} named '{name}'; a file is named by its path: ./{name}.py")
    good = [plugin.name for plugin in found if plugin.cls]
    raise unknown(kind, name, good, f"(`bench list {PLURAL[kind]}` shows all {len(good)})")


def instantiate(kind: Kind, component: Component) -> Any:
    """The object a component stands for, made from its file in whatever process this is."""
    from pydantic import TypeAdapter

    for plugin in load_file(kind, Path(component.path)):
        if plugin.name == component.name:
            made = TypeAdapter(plugin.usable()).validate_python(component.params)
            if source_digest(plugin.path, made) != component.source:
                raise UsageError(f"{component.path} changed while the run was going on; run again")
            return made
    raise UsageError(f"{component.path} no longer defines {kind} '{component.name}'")
