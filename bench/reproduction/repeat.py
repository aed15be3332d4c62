"""An experiment on the data, base and seeds at hand: what it takes, and what came out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from bench.boards.rows import collect
from bench.boards.summary import notes
from bench.data.sources import open_source
from bench.models.base import EMBEDDED
from bench.pipeline import cell_stage
from bench.plugins import Kind, resolve
from bench.reproduction import truncation
from bench.reproduction.experiments import Experiment, Setting, Training
from bench.reproduction.findings import Verdict, lines, records, verdict
from bench.request import Request
from bench.specs import Stage
from bench.store import Store
from bench.training.recipe import named_recipe

Recipes = Mapping[Training, str]
MINI: Recipes = MappingProxyType(
    {"real": "mini", "over": "mini-overtraining", "pretrained": "pretrained"}
)
PAPER: Recipes = MappingProxyType(
    {"real": "paper-realworld", "over": "paper-overtraining", "pretrained": "pretrained"}
)
QUICK: Recipes = MappingProxyType({"real": "quick", "over": "quick", "pretrained": "pretrained"})
"""To see the path; its figures are no reproduction."""


def recipes_for(base: str) -> Recipes:
    """Those of the embedded base, or the paper's own."""
    return MINI if base == EMBEDDED else PAPER


class Part(NamedTuple):
    """One table of an experiment."""

    title: str
    records: list[dict[str, Any]]
    sentences: list[str]
    verdict: Verdict | None = None


class Repeated(Protocol):
    """An experiment that can be computed and told."""

    requests: list[Request]
    ends: list[Stage]

    def parts(self, store: Store) -> list[Part]:
        """What came out, once all ends are in the store."""


def repeat(
    experiment: Experiment, on: Request, recipes: Recipes, say: Callable[[str], None]
) -> Repeated:
    """The experiment on the data, base and seeds of a request; bad words raise UsageError."""
    if not experiment.settings:
        return _Truncated(replace(on, recipe=recipes["real"], captioner=None), say)
    return _Attacked(experiment.settings, on, recipes, say)


class _Attacked:
    """Rows of attacked models, setting by setting."""

    def __init__(
        self,
        settings: tuple[Setting, ...],
        on: Request,
        recipes: Recipes,
        say: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._data = open_source(on.data, offline=on.offline).card or "coco"
        self.requests = [_asked(setting, on, recipes, self._data) for setting in settings]
        self._ends = [[cell_stage(c) for c in one.cells(say)] for one in self.requests]
        self.ends = list({end.key: end for ends in self._ends for end in ends}.values())

    def parts(self, store: Store) -> list[Part]:
        told = []
        for setting, ends in zip(self._settings, self._ends, strict=True):
            rows = collect((end.params["cell"], store.record(end)["result"]) for end in ends)
            kind: Kind = "defense" if setting.names == setting.defenses else "attack"
            labels = {name: resolve(kind, name).label for name in setting.names}
            found = lines(setting, rows, labels, self._data)
            order = verdict(setting, found, self._data)
            said = [*(order.sentences() if order else ()), *notes(rows)]
            told.append(Part(setting.title, records(found, kind), said, order))
        return told


def _asked(setting: Setting, on: Request, recipes: Recipes, card: str) -> Request:
    """The setting as a request; checkpoints that the recipe does not keep are left out."""
    name = recipes[setting.training]
    recipe = named_recipe(name, card)
    epochs = [round(share * recipe.epochs) for share in setting.shares]
    kept = {*recipe.keep, recipe.epochs}
    return replace(
        on,
        defenses=setting.defenses,
        attacks=setting.attacks,
        recipe=name,
        augment=setting.augment,
        view=setting.view,
        captioner=on.captioner if setting.view == "pseudo" else None,
        at=[epoch for epoch in epochs if epoch in kept] if len(epochs) > 1 else [],
    )


class _Truncated:
    """Figure 1."""

    def __init__(self, on: Request, say: Callable[[str], None]) -> None:
        self.requests: list[Request] = []
        self._stages = truncation.stages(on.cells(say))
        self.ends = list(self._stages.values())

    def parts(self, store: Store) -> list[Part]:
        found = {where: store.record(stage)["result"] for where, stage in self._stages.items()}
        return [
            Part("no defense", truncation.records(found), truncation.sentences(found)),
        ]
