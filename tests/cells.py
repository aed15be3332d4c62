"""Cells that are never run, for tests of keys and graphs."""

from __future__ import annotations

from typing import Any

from bench.specs import Cell, Component
from bench.training.recipe import RECIPES


def component(name: str, **changed: Any) -> Component:
    usual = {"params": {"t": 1}, "source": f"source-{name}", "path": f"/{name}.py", "label": name}
    return Component(name=name, **usual | changed)


def cell(**changed: Any) -> Cell:
    usual = {
        "data": "scenes:n=120",
        "data_label": "scenes",
        "data_identity": "data-1",
        "base": "/bases/a",
        "base_label": "a",
        "base_identity": "base-1",
        "resolution": 16,
        "recipe": RECIPES["quick"].model_dump(mode="json"),
        "defense": component("shuffle"),
        "attack": component("loss"),
    }
    return Cell(**usual | changed)
