"""Finds attacks and defenses: the shipped folders, a user's file, a user's folder.

All of them come through the same loader, by path, with the same rank. A file that cannot be
loaded is listed with its error and harms no other; a name that two files claim is an error that
names both.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from bench.api import Attack, Defense, ReferenceAttack
from bench.composition import ordered
from bench.defending import LEVELS
from bench.errors import UsageError, unknown
from bench.parameters import label, make, parameters, parse, told
from bench.specs import Component
from bench.sweeps import Sets, apply_sets, swept

Kind = Literal["attack", "defense"]
PLURAL = {"attack": "attacks", "defense": "defenses"}
BASES: dict[str, type] = {"attack": Attack, "defense": Defense}
NAME = re.compile(r"[\w.-]+")
JOINT = re.compile(r"\+(?![^\[]*\])")
CALL = re.compile(r"(?P<name>[^\[\]]+)(\[(?P<params>.*)\])?")


@dataclass(frozen=True)
class Plugin:
    """One attack or defense class, or the file that failed to give one."""

    kind: Kind
    name: str
    path: Path
    cls: type | None = None
    error: str | None = None
    shipped: bool = False

    @property
    def summary(self) -> str:
        """First line of the docstring, or of the error."""
        text = self.error or (self.cls.__doc__ if self.cls else "") or ""
        return text.strip().splitlines()[0] if text.strip() else ""

    def usable(self) -> type[Any]:
        """The class; UsageError if the file gave none."""
        if self.cls is None:
            raise UsageError(
                f"{self.kind} '{self.name}' cannot be loaded: {self.error} ({self.path})"
            )
        return self.cls

    def params(self) -> list[tuple[str, str, Any]]:
        """(name, type, default) of every parameter."""
        if self.cls is None:
            return []
        return parameters(self.usable())


def shipped_folder(kind: Kind) -> Path:
    """`bench/_shipped/<kind>s` of an installed wheel, `<kind>s/` of a checkout."""
    here = Path(__file__).resolve().parent
    installed = here / "_shipped" / PLURAL[kind]
    return installed if installed.is_dir() else here.parent / PLURAL[kind]


@cache
def load_module(path: Path) -> ModuleType:
    """The module at this path, under a name that no other file can take."""
    name = f"bench_plugin_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with redirect_stdout(sys.stderr):  # stdout is for results
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


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


def load_folder(kind: Kind, folder: Path, shipped: bool = False) -> list[Plugin]:
    """The plugins of all files of a folder but those whose name begins with an underscore."""
    files = sorted(p for p in folder.glob("*.py") if not p.name.startswith("_"))
    return [plugin for path in files for plugin in load_file(kind, path, shipped)]


@cache
def _shipped(kind: Kind) -> tuple[Plugin, ...]:
    """They do not change while a process lives, and a large request asks for them often."""
    return tuple(load_folder(kind, shipped_folder(kind), shipped=True))


def discover(kind: Kind, folders: Iterable[Path] = ()) -> list[Plugin]:
    """Shipped plugins and those of the user's folders (those without this kind inside excluded)."""
    found = list(_shipped(kind))
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(
                f"plugin folder {folder} does not exist; make it, or name another with --plugins"
            )
        found += load_folder(kind, folder)
    return sorted(found, key=lambda plugin: plugin.name)


def _refuse_collisions(found: list[Plugin], name: str) -> None:
    places = sorted({str(p.path) for p in found if p.name == name and p.cls})
    if len(places) > 1:
        raise UsageError(f"two plugins are named '{name}': {' and '.join(places)}; rename one")


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
    kind: Kind, names: Sequence[str], folders: Iterable[Path] = (), sets: Sets | None = None
) -> list[Component]:
    """`resolve` for each text, or for all there are; none may be asked for twice.

    Values that are `sets` beside a component join its own, and a sweep is several components.
    """
    parts = [apply_sets(one, sets or {}) for one in spelled(kind, names, folders)]
    found = [resolve(kind, text, folders) for one in parts for text in swept(one)]
    labels = [component.label for component in found]
    for label_ in labels:
        if labels.count(label_) > 1:
            raise UsageError(f"{kind} {label_} is asked for twice; leave one out")
    return found


def spelled(kind: Kind, names: Sequence[str], folders: Iterable[Path] = ()) -> list[list[str]]:
    """What was asked for, each as its joined parts; `all` alone is all there are."""
    if list(names) == ["all"]:
        return [[plugin.name] for plugin in discover(kind, folders) if plugin.cls]
    return [joined(name) if kind == "defense" else [name] for name in names]


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
    if ".py" in name or "/" in name:
        plugin = _from_file(kind, name)
    else:
        found = discover(kind, folders)
        _refuse_collisions(found, name)
        plugin = _named(kind, name, found)
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
    path = Path(named).expanduser().resolve()
    if not path.is_file() or path.suffix != ".safetensors":
        raise UsageError(
            f"{made.name}: reference '{named}' is neither shadow nor base nor a file of a U-Net's "
            "weights (.safetensors)"
        )
    return str(path)


def _from_file(kind: Kind, text: str) -> Plugin:
    match = re.fullmatch(r"(?P<path>.+?\.py)(:(?P<name>\w[\w.-]*))?", text)
    path = Path(match["path"] if match else text).expanduser()
    if not match or not path.is_file():
        raise UsageError(f"no {kind} file {path}; give the path of a Python file")
    found = load_file(kind, path)
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


def _named(kind: Kind, name: str, found: list[Plugin]) -> Plugin:
    for plugin in found:
        if plugin.name == name:
            plugin.usable()
            return plugin
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


def source_digest(path: Path, made: Any) -> str:
    """Hash of a plugin's source and of whatever else it says that it reads."""
    return combined_digest(*source_digests(path, made))


def source_digests(path: Path, made: Any) -> tuple[str, list[str]]:
    """sha256 of a plugin's file, and `name:sha256` of every other file that it reads."""
    others: list[str] = []
    for place in getattr(made, "reads", tuple)():
        found = sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
        others += [f"{p.name}:{_sha256(p)}" for p in found if p.is_file() and p.suffix != ".pyc"]
    return _sha256(path), others


def combined_digest(file: str, others: Sequence[str]) -> str:
    """The source hash of a component from those of its files."""
    if not others:
        return file
    return hashlib.sha256("\n".join([file, *others]).encode()).hexdigest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
