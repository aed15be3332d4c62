"""Several defenses on one training, in a defined order; one defense is the simplest case.

Data before visits, visits before batches, batches before losses, losses before procedures; within
a level in the order they were named. Each part draws from generators of its own and keeps notes of
its own, so that none changes what another one does.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.data.pairs import Pairs
from bench.defending import LEVELS, Batch, Context, Defense, Training
from bench.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from bench.training.recipe import Recipe

Notes = dict[str, dict[str, Any]]


def ordered(parts: Sequence[Defense]) -> list[int]:
    """Indices of the parts in the order they act; UsageError where two cannot go together."""
    for i, one in enumerate(parts):
        for other in parts[i + 1 :]:
            _refuse(one, other)
    return sorted(range(len(parts)), key=lambda i: LEVELS.index(parts[i].level))


def _refuse(one: Defense, other: Defense) -> None:
    reason = one.excludes.get(other.name) or other.excludes.get(one.name)
    if "none" in (one.name, other.name):
        reason = "none is the absence of a defense"
    if one.name == other.name:
        reason = "the same defense twice"
    if reason:
        raise UsageError(f"{one.name} and {other.name} cannot go together: {reason}")


class Composition:
    """The defenses of one training, asked together."""

    def __init__(self, parts: Sequence[Defense] = (), notes: Notes | None = None) -> None:
        self.parts = [parts[i] for i in ordered(parts)]
        self.notes: Notes = {} if notes is None else notes
        self._views: list[Training] = []

    def prepare(self, pairs: Pairs, context: Context) -> Pairs:
        for part in self.parts:
            pairs = part.prepare(pairs, self._noted(part, context))
        return pairs

    def replay(self, pairs: Pairs, context: Context, number: int) -> Pairs:
        for part in self.parts:
            pairs = part.replay(pairs, self._noted(part, context), number)
        return pairs

    def recipe(self, recipe: Recipe, pairs: int) -> Recipe:
        for part in self.parts:
            recipe = part.recipe(recipe, pairs)
        return recipe

    def begin(self, training: Training) -> None:
        """Each part sees the training with a notebook of its own."""
        for part in self.parts:
            view = copy.copy(training)
            view.notes = self._notebook(part)
            self._views.append(view)
            part.begin(view)

    @property
    def speaks(self) -> bool:
        """Whether visits have captions of their own."""
        return any(type(part).caption is not Defense.caption for part in self.parts)

    def caption(self, pair: str, caption: str, visit: int, context: Context) -> str:
        for part in self.parts:
            rng: np.random.Generator = context.rng(part.name, "visit", pair, visit)
            caption = part.caption(pair, caption, rng)
        return caption

    def on_batch(self, batch: Batch) -> Batch:
        for part, view in self._each():
            batch = part.on_batch(batch, view)
        return batch

    def target(self, batch: Batch) -> Tensor | None:
        """The last part's that has one."""
        found = [part.target(batch, view) for part, view in self._each()]
        return next((target for target in reversed(found) if target is not None), None)

    def weigh(self, errors: Tensor, batch: Batch) -> Tensor | None:
        """The product of all weights."""
        product: Tensor | None = None
        for part, view in self._each():
            weights = part.weigh(errors, batch, view)
            if weights is not None:
                product = weights if product is None else product * weights
        return product

    def after_step(self) -> None:
        for part, view in self._each():
            part.after_step(view)

    def stops(self, epoch: int) -> bool:
        asked = [part.stops(epoch, view) for part, view in self._each()]  # each learns of it
        return any(asked)

    def state(self) -> dict[str, Tensor]:
        return {
            f"{part.name}.{name}": value
            for part in self.parts
            for name, value in part.state().items()
        }

    def restore(self, state: Mapping[str, Tensor], notes: Notes) -> None:
        for part in self.parts:
            own = f"{part.name}."
            part.restore({k.removeprefix(own): v for k, v in state.items() if k.startswith(own)})
            self._notebook(part).update(notes.get(part.title, {}))

    def _each(self) -> list[tuple[Defense, Training]]:
        return list(zip(self.parts, self._views, strict=True))

    def _notebook(self, part: Defense) -> dict[str, Any]:
        return self.notes.setdefault(part.title, {})

    def _noted(self, part: Defense, context: Context) -> Context:
        return Context(context.seed, context.auxiliary, self._notebook(part))
