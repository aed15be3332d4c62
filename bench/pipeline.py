"""From a cell to its stages: who reads what. One way, no back and forth.

    split --+-- train(target, defended) --+-- features --+-- scores --------------+
            |                             +-- samples ---|--- utility --+         |
            +-- train(shadow) --------------- features --+              +---------+-- metrics
            +-- (base) ---------------------- features ------ scores (control) ---+
            +-- train(reference) -- reference -^  (reference-calibrated attacks only)
            +-- captions ---------------------^  (view `pseudo` only)
            +-- real ----------------------------------------/
            +-- blind, duplicates (gates of the split) ------/

Of large sets `features` and `reference` are asked, and many samples are made, in shards, which are
stages of their own.

Stages with equal keys are one stage: two attacks on one defense train once, all defenses of a seed
share shadow and control, all runs share the features of real pictures.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from bench.once import Made, about, once
from bench.plugins import resolve
from bench.shards import SHARD, Bounds, bounds
from bench.specs import (
    FOLDS,
    SAMPLES_ROLE,
    SHARD_ROLE,
    Cell,
    Component,
    Shadow,
    Stage,
    walked,
)

EARLY = 0.25
"""Share of the recipe's epochs after which a reference stops.

A quarter and a half did equally well, and better than all, in trials on `tiles` before this suite
was written; it is not tuned further.
"""


def cell_stage(cell: Cell, shard: int = SHARD) -> Stage:
    """The metrics stage of a cell, with everything it stands on."""
    return Graph(cell, shard).metrics()


def cell_stages(cells: Iterable[Cell], shard: int = SHARD) -> list[Stage]:
    """The metrics stages of cells, each once; they share what they stand on as objects too."""
    made: Made = {}
    ends = [Graph(cell, shard, made).metrics() for cell in cells]
    return list({end.key: end for end in ends}.values())


def all_stages(cells: Iterable[Cell], shard: int = SHARD) -> list[Stage]:
    """Every stage of these cells once, inputs before what reads them."""
    return walked(cell_stages(cells, shard))


@cache
def undefended() -> Component:
    """No defense: what the attacker's own models usually train under."""
    return resolve("defense", "none")


class Graph:
    """Builds the stages of one cell; an audit's (`bench.audits.graph`) builds some of its own."""

    def __init__(self, cell: Cell, shard: int = SHARD, made: Made | None = None) -> None:
        self.cell = cell
        self.shard = shard
        self.made: Made = {} if made is None else made
        self.about = about(cell, self.made)
        self.common = {"data": cell.data, "base": cell.base}
        if cell.variant:
            self.common["variant"] = cell.variant
        self.split = self.split_of(cell.seed, "disjoint", cell.canaries)
        # The same, but for the shadow's parts, which may be dealt from the target's own pairs; the
        # attacker knows nothing of canaries.
        self.shadows = self.split_of(cell.seed, cell.shadow)
        # Reference and auxiliary pairs are the same for every seed, so the utility of all seeds
        # reads one split, and the features of real pictures are computed once.
        self.reserved = self.split_of(0)

    @once(lambda graph: ())
    def split_of(self, seed: int, shadow: Shadow = "disjoint", canaries: int = 0) -> Stage:
        identity = self.cell.data_identity
        params: dict[str, Any] = {"data": identity, "seed": seed, "shadow": shadow}
        if canaries:
            params["canaries"] = canaries
        return Stage("split", params, hints=self.common)

    @once(lambda graph: (graph.cell.seed,))
    def train(self, part: str, defense: Component, share: float = 1.0) -> Stage:
        """A fine-tuned model; with a share below 1, one stopped after that much of the recipe."""
        cell, recipe = self.cell, self.cell.recipe
        if share < 1:
            recipe = recipe | {"epochs": max(1, round(share * recipe["epochs"])), "keep": []}
            recipe.pop("keep_raw", None)
        return Stage(
            "train",
            {
                "part": part,
                "defense": defense.identity(),
                "augment": cell.augment,
                "recipe": recipe,
                "base": cell.base_identity,
                "seed": cell.seed,
            },
            {"split": self.split if part == "members" else self.shadows},
            {**self.common, "defense": defense.paths()},
        )

    def target(self) -> dict[str, Stage]:
        """The model under attack as an input; none when it is the base itself."""
        return {} if self.cell.at == 0 else {"model": self.train("members", self.cell.defense)}

    def shadow(self) -> dict[str, Stage]:
        """The attacker's own model: same recipe and checkpoint."""
        if self.cell.at == 0:
            return {}
        return {"model": self.train("shadow_members", self.attackers())}

    def attackers(self) -> Component:
        """The defense of the attacker's own models: none, unless it imitates the target's."""
        return self.cell.defense if self.cell.shadow_defense == "same" else undefended()

    def features(self, part: str, model: dict[str, Stage]) -> Stage:
        """The attack's features of a part: in one stage, or of a large one joined from shards."""
        at, references = self.cell.at if model else 0, self.references(part)
        shards = self.shards(part)
        if not shards:
            return self._asked("features", part, at, {**model, **references}, {})
        found = {}
        for number, shard in enumerate(shards):
            # What the reference said of these pairs; of other parts' shards, of them all.
            said = {
                role: below
                for role, below in references.items()
                if below.params["part"] != part or below.params["shard"] == shard
            }
            found[f"{SHARD_ROLE}{number}"] = self._asked(
                "features", part, at, {**model, **said}, {}, shard
            )
        return self._asked("features", part, at, {**references, **found}, {})

    def shards(self, part: str) -> list[Bounds]:
        """How a part is cut; the target's holds canaries too, and a fold is a half at most."""
        cell = self.cell
        n = cell.asked // FOLDS + FOLDS if part.startswith("fold_") else cell.asked
        return bounds(n + (cell.canaries if part == "target" else 0), self.shard)

    def _reference(
        self, role: str, part: str, at: int | None, inputs: dict[str, Stage], hints: dict[str, Any]
    ) -> dict[str, Stage]:
        """What the reference says of a part, by role: in one stage or in shards."""
        shards = self.shards(part)
        if not shards:
            return {role: self._asked("reference", part, at, inputs, hints)}
        return {
            f"{role}_{number}": self._asked("reference", part, at, inputs, hints, shard)
            for number, shard in enumerate(shards)
        }

    def _asked(
        self,
        kind: str,
        part: str,
        at: int | None,
        inputs: dict[str, Stage],
        hints: dict[str, Any],
        shard: Bounds | None = None,
    ) -> Stage:
        """The attack meets a model: the target, the shadow, the base, or its reference."""
        cell = self.cell
        params: dict[str, Any] = {
            "attack": cell.attack.identity(),
            "view": cell.view,
            "part": part,
            "at": at,
            "base": cell.base_identity,
            "seed": cell.seed,
        }
        if cell.precision != "fp32":
            params["precision"] = cell.precision
        if shard is not None:
            params["shard"] = shard
        hints = {**self.common, "attack": cell.attack.path, "label": cell.attack.label, **hints}
        if cell.view == "defended":
            params |= {"defense": cell.defense.identity(), "replays": cell.replays}
            hints["defense"] = cell.defense.paths()
        if cell.view == "pseudo":
            inputs = {"captions": self.captions(), **inputs}
        split = self.split if part == "target" else self.shadows
        return Stage(kind, params, {"split": split, **inputs}, hints)

    def references(self, part: str) -> dict[str, Stage]:
        """What the attack's reference says of a part; of the shadow's, crosswise by halves.

        The reference of the target has seen all of the shadow's pairs. Those that the shadow is
        measured against have seen one half each and are asked about the other.
        """
        which = self.cell.attack.reference
        if which is None:
            return {}
        if which != "shadow":
            weights = {} if which == "base" else {"weights": which}
            return self._reference("reference", part, 0, {}, weights)
        if part == "target":
            model = self.train("shadow_all", self.attackers(), EARLY)
            return self._reference("reference", part, None, {"model": model}, {})
        halves: dict[str, Stage] = {}
        for k in range(FOLDS):
            model = self.train(f"shadow_but_{k}", self.attackers(), EARLY)
            halves |= self._reference(f"reference_{k}", f"fold_{k}", None, {"model": model}, {})
        return halves

    def captions(self) -> Stage:
        """A captioner's words for every picture that may be asked about."""
        params = {"captioner": self.cell.captioner_identity}
        hints = {**self.common, "captioner": self.cell.captioner}
        return Stage("captions", params, {"split": self.shadows}, hints)

    def scores(self, target: Stage) -> Stage:
        return Stage(
            "scores",
            {"attack": self.cell.attack.identity(), "pool": self.cell.pool},
            {
                "split": self.shadows,
                **({"canaries": self.split} if self.cell.canaries else {}),
                "target": target,
                **self.learnt_from(),
            },
            {"attack": self.cell.attack.path, "label": self.cell.attack.label},
        )

    @once(lambda graph: (graph.cell.pool, *graph.knowledge))
    def control(self) -> Stage:
        """The same attack on the base, which saw no pair."""
        return self.scores(self.features("target", {}))

    @property
    def knowledge(self) -> tuple[Any, ...]:
        """What the attacker's own models and questions depend on."""
        cell = self.cell
        replayed = cell.defense if cell.view == "defended" else None
        asked = (cell.attack, cell.view, cell.replays, replayed, self.attackers())
        return (*asked, cell.seed, cell.at)

    @once(lambda graph: graph.knowledge)
    def learnt_from(self) -> dict[str, Stage]:
        """What the attack is fitted on, and its threshold found."""
        return {"shadow": self.features("shadow", self.shadow())}

    @once(lambda graph: (graph.cell.defense, graph.cell.seed, graph.cell.at))
    def utility(self) -> Stage:
        cell, model = self.cell, self.target()
        common: dict[str, Any] = {"base": cell.base_identity, "at": cell.at if model else 0}
        asked = {**common, "sampling": cell.sampling.model_dump()}
        below = {"split": self.reserved, **model}
        samples = {
            f"{SAMPLES_ROLE}_{number}": Stage("samples", {**asked, "shard": b}, below, self.common)
            for number, b in enumerate(bounds(cell.sampling.n, self.shard))
        } or {SAMPLES_ROLE: Stage("samples", asked, below, self.common)}
        weights: dict[str, Any] = {"inception": cell.inception_digest}
        if cell.inception_digest:
            weights["resizing"] = ["tf1", "aa"]
        places = {**self.common, "inception": cell.inception}
        side = {"resolution": cell.resolution, **weights}
        real = Stage("real", side, {"split": self.reserved}, places)
        inputs = {"split": self.reserved, **samples, "real": real, **model}
        return Stage(
            "utility",
            {**common, **weights, "clip": cell.clip_digest},
            inputs,
            {**places, "clip": cell.clip},
        )

    @once(lambda graph: (graph.cell.seed,))
    def gates(self) -> dict[str, Stage]:
        """Whether the split itself separates; the same for all rows of a seed."""
        cell = self.cell
        # What is never ranked looks at pictures without the network, which takes half a minute.
        looks = {"resolution": cell.resolution, "network": cell.recipe["board"]}
        return {
            kind: Stage(kind, params, {"split": self.split}, self.common)
            for kind, params in (("blind", looks), ("duplicates", {}))
        }

    def metrics(self) -> Stage:
        model = self.target()
        features = self.features("target", model)
        scores = self.scores(features)
        inputs = {"split": self.split, "features": features, "scores": scores, **self.gates()}
        # Against the base as its reference, the base scores 0 throughout and controls nothing.
        if model and self.cell.attack.reference != "base":
            inputs["control"] = self.control()
        return Stage(
            "metrics", {"cell": self.cell.card()}, {**inputs, "utility": self.utility(), **model}
        )
