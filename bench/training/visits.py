"""The stream of visits: which pairs make a micro-batch, and what each of them draws.

Every draw is a function of (seed, pair, visit), which makes a resumed run equal to one that was
never stopped, and a pair's noise independent of the batch it comes in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.composition import Composition
from bench.data.geometry import draw
from bench.data.pairs import Pairs
from bench.defending import Batch, Context
from bench.models.base import Base
from bench.rng import generator
from bench.specs import Augment
from bench.training.caches import Posteriors, Visit
from bench.training.means import Means
from bench.training.recipe import Recipe
from bench.training.texts import TextStates

if TYPE_CHECKING:
    from torch import Tensor


class Schedule:
    """Which pairs each micro-batch of a training visits.

    Every epoch a fresh order, the last batch smaller, as in the published script; or, for the
    accounting of differential privacy, each pair in each batch with the same probability.
    """

    def __init__(self, recipe: Recipe, pairs: int, seed: int, secret: str = "") -> None:
        self._recipe, self._pairs, self._seed, self._secret = recipe, pairs, seed, secret
        self.per_epoch = -(-pairs // recipe.batch)
        self.total = recipe.epochs * self.per_epoch
        self._last: tuple[int, list[int]] | None = None

    def order(self, epoch: int) -> list[int]:
        """The pairs' indices as this epoch visits them; the last one asked for is remembered."""
        if self._last is None or self._last[0] != epoch:
            shuffled = generator(self._seed, "order", epoch).permutation(self._pairs)
            self._last = epoch, [int(i) for i in shuffled]
        return self._last[1]

    def chosen(self, number: int) -> list[int]:
        """Indices of the pairs of micro-batch `number`, which may be none under Poisson."""
        if self._recipe.poisson:
            draws = generator(self._seed, "poisson", self._secret, number).random(self._pairs)
            return [int(i) for i in np.flatnonzero(draws < self._recipe.batch / self._pairs)]
        epoch, offset = divmod(number, self.per_epoch)
        return self.order(epoch)[offset * self._recipe.batch :][: self._recipe.batch]

    def visit(self, number: int) -> int:
        """What names the visits of a micro-batch: no pair meets the same one twice."""
        return number if self._recipe.poisson else number // self.per_epoch

    def ends_epoch(self, number: int) -> bool:
        return (number + 1) % self.per_epoch == 0


class Visits:
    """Micro-batches of some pairs, with the captions that a defense gives each visit."""

    def __init__(
        self,
        base: Base,
        pairs: Pairs,
        recipe: Recipe,
        augment: Augment,
        seed: int,
        defense: Composition | None = None,
        means: Means | None = None,
    ) -> None:
        self._base, self._pairs, self._seed, self._augment = base, pairs, seed, augment
        self._defense = defense or Composition()
        self._context = Context(seed, pairs)
        # A resized crop needs no edges beside the picture to find another square.
        margin = 0 if augment == "strong" else recipe.crop_margin
        self.posteriors = Posteriors(base, pairs, margin, means)
        self.text = TextStates(base, ["", *pairs.captions], means)

    def squares(self, schedule: Schedule) -> Iterator[Visit]:
        """The squares of all visits, without the rest of their draws."""
        for number in range(schedule.total):
            visit = schedule.visit(number)
            for i in schedule.chosen(number):
                yield self._square(i, self._rng(i, visit))

    def _rng(self, index: int, visit: int) -> np.random.Generator:
        return generator(self._seed, "visit", self._pairs.ids[index], visit)

    def _square(self, index: int, rng: np.random.Generator) -> Visit:
        outline, side = self.posteriors.pixels.outline(index), self._base.resolution
        return index, draw(outline, side, self._augment, rng)

    def batch(self, chosen: Sequence[int], visit: int) -> Batch:
        """The pairs with these indices at this visit: crop, timestep, posterior draw, noise."""
        import torch

        rngs = [self._rng(i, visit) for i in chosen]
        squares = [self._square(i, rng) for i, rng in zip(chosen, rngs, strict=True)]
        mean, logvar = self.posteriors.of(squares)
        steps = self._base.scheduler.config.num_train_timesteps
        times = [int(rng.integers(steps)) for rng in rngs]
        shape = (2, *mean.shape[1:])
        draws = np.stack([rng.standard_normal(shape, dtype=np.float32) for rng in rngs])
        posterior, noise = torch.from_numpy(draws).to(mean.device).unbind(1)
        return Batch(
            ids=tuple(self._pairs.ids[i] for i in chosen),
            visit=visit,
            clean=(mean + (0.5 * logvar).exp() * posterior) * self._base.scaling_factor,
            noise=noise,
            times=torch.tensor(times, device=mean.device),
            text=self._text(chosen, visit),
        )

    def _text(self, chosen: Sequence[int], visit: int) -> Tensor:
        captions = [self._pairs.captions[i] for i in chosen]
        if self._defense.speaks:
            captions = [
                self._defense.caption(self._pairs.ids[i], caption, visit, self._context)
                for i, caption in zip(chosen, captions, strict=True)
            ]
        return self.text.of(captions)
