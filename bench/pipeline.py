"""From a cell to its stages: who reads what. One way, no back and forth.

    split --+-- train(target, defended) --+-- features --+-- scores --------------+
            |                             +-- samples ---|--- utility --+         |
            +-- train(shadow, undefended) --- features --+              +---------+-- metrics
            +-- (base) ---------------------- features ------ scores (control) ---+
            +-- real ----------------------------------------/

Stages with equal keys are one stage: two attacks on one defense train once, all defenses of a seed
share shadow and control, all runs share the features of real pictures.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from bench.plugins import resolve
from bench.specs import Cell, Component, Stage


def cell_stage(cell: Cell) -> Stage:
    """The metrics stage of a cell, with everything it stands on."""
    return _Graph(cell).metrics()


def all_stages(cells: Iterable[Cell]) -> list[Stage]:
    """Every stage of these cells once, inputs before what reads them."""
    seen: dict[str, Stage] = {}
    for cell in cells:
        for stage in cell_stage(cell).walk():
            seen.setdefault(stage.key, stage)
    return list(seen.values())


@cache
def undefended() -> Component:
    """The defense of every shadow: none."""
    return resolve("defense", "none")


def label(stage: Stage) -> str:
    """A stage in a few words: `train members (reph)`."""
    params = stage.params
    if stage.kind == "train":
        role = "target" if params["part"] == "members" else "shadow"
        return f"train {role} ({params['defense']['name']}, seed {params['seed']})"
    if stage.kind == "features":
        on = "base" if params["at"] == 0 else params["part"]
        return f"{params['attack']['name']} on {on} (seed {params['seed']})"
    if stage.kind == "scores":
        return f"scores ({params['attack']['name']})"
    if stage.kind == "metrics":
        cell = params["cell"]
        return f"metrics ({cell['defense']['label']}, {cell['attack']['label']})"
    return {"real": "features of real pictures", "samples": "samples"}.get(stage.kind, stage.kind)


class _Graph:
    """Builds the stages of one cell."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.common = {"data": cell.data, "base": cell.base}
        self.split = self.split_of(cell.seed)
        # Reference and auxiliary pairs are the same for every seed, so the utility of all seeds
        # reads one split, and the features of real pictures are computed once.
        self.reserved = self.split_of(0)

    def split_of(self, seed: int) -> Stage:
        identity = self.cell.data_identity
        return Stage("split", {"data": identity, "seed": seed}, hints=self.common)

    def train(self, part: str, defense: Component) -> Stage:
        cell = self.cell
        return Stage(
            "train",
            {
                "part": part,
                "defense": defense.identity(),
                "augment": cell.augment,
                "recipe": cell.recipe,
                "base": cell.base_identity,
                "seed": cell.seed,
            },
            {"split": self.split},
            {**self.common, "defense": defense.path},
        )

    def target(self) -> dict[str, Stage]:
        """The model under attack as an input; none when it is the base itself."""
        return {} if self.cell.at == 0 else {"model": self.train("members", self.cell.defense)}

    def shadow(self) -> dict[str, Stage]:
        """The attacker's own model: same recipe and checkpoint, no defense."""
        if self.cell.at == 0:
            return {}
        return {"model": self.train("shadow_members", undefended())}

    def features(self, part: str, model: dict[str, Stage]) -> Stage:
        cell = self.cell
        return Stage(
            "features",
            {
                "attack": cell.attack.identity(),
                "view": cell.view,
                "part": part,
                "at": cell.at if model else 0,
                "base": cell.base_identity,
                "seed": cell.seed,
            },
            {"split": self.split, **model},
            {**self.common, "attack": cell.attack.path},
        )

    def scores(self, target: Stage) -> Stage:
        return Stage(
            "scores",
            {"attack": self.cell.attack.identity()},
            {
                "split": self.split,
                "target": target,
                "shadow": self.features("shadow", self.shadow()),
            },
            {"attack": self.cell.attack.path},
        )

    def utility(self) -> Stage:
        cell, model = self.cell, self.target()
        common: dict[str, Any] = {"base": cell.base_identity, "at": cell.at if model else 0}
        samples = Stage(
            "samples",
            {**common, "sampling": cell.sampling.model_dump()},
            {"split": self.reserved, **model},
            self.common,
        )
        weights = {"inception": cell.inception_digest}
        places = {**self.common, "inception": cell.inception}
        side = {"resolution": cell.resolution, **weights}
        real = Stage("real", side, {"split": self.reserved}, places)
        inputs = {"split": self.reserved, "samples": samples, "real": real, **model}
        return Stage("utility", {**common, **weights}, inputs, places)

    def metrics(self) -> Stage:
        model = self.target()
        features = self.features("target", model)
        scores = self.scores(features)
        inputs = {"split": self.split, "features": features, "scores": scores}
        if model:
            inputs["control"] = self.scores(self.features("target", {}))
        return Stage(
            "metrics", {"cell": self.cell.card()}, {**inputs, "utility": self.utility(), **model}
        )
