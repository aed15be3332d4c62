"""The card of an attack, a defense, a recipe or a data set, for programs."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import cleandoc
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.plugins import Plugin


def records(name: str, plugins: Sequence[Plugin]) -> list[dict[str, Any]]:
    """Everything of this name: kind, what is known of it, parameters with their defaults."""
    from bench.data.cards import CARDS
    from bench.training.recipe import RECIPES

    found = [
        {
            "name": name,
            "kind": plugin.kind,
            "about": _about(plugin),
            "params": [
                {"name": param, "type": hint, "default": usual if _plain(usual) else str(usual)}
                for param, hint, usual in plugin.params()
            ],
        }
        for plugin in plugins
    ]
    if name in CARDS:
        found.append(_other(name, "data", dict(CARDS[name].described())))
    if name in RECIPES:
        found.append(_other(name, "recipe", RECIPES[name].model_dump(mode="json")))
    return found


def _about(plugin: Plugin) -> dict[str, Any]:
    if plugin.cls is None:
        return {"path": str(plugin.path), "error": plugin.error}
    made, about = (
        plugin.cls(),
        {"path": str(plugin.path), "doc": cleandoc(plugin.cls.__doc__ or "")},
    )
    told = ("paper", "access", "queries", "level")
    about |= {field: getattr(made, field) for field in told if hasattr(made, field)}
    presets = getattr(plugin.cls, "presets", {})
    return about | {"presets": {name: dict(meant) for name, meant in presets.items()}}


def _other(name: str, kind: str, about: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "kind": kind, "about": about, "params": []}


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool | list | tuple)
