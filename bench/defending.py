"""What a defense is: the places in a training where it may step in, and what it meets there.

A defense overrides the hooks it needs; each hook by itself changes nothing. In the order of a
training: `prepare` and `recipe` once, `begin` when the model stands, then for every visit
`caption`, for every micro-batch `on_batch`, `target`, `weigh`, after every update `after_step`, and
after every epoch `stops`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np

from bench.data.pairs import Pairs
from bench.rng import generator

if TYPE_CHECKING:
    from torch import Tensor

    from bench.training.recipe import Recipe

Level = Literal["data", "visit", "batch", "loss", "procedure"]
LEVELS: tuple[Level, ...] = ("data", "visit", "batch", "loss", "procedure")


@dataclass
class Context:
    """What a defense may know beside the members: its seed, the auxiliary pairs, a notebook."""

    seed: int
    auxiliary: Pairs
    notes: dict[str, Any] = field(default_factory=dict)
    """The realised strength; ends in the manifest of the trained model."""

    def rng(self, *keys: str | int) -> np.random.Generator:
        """A generator for (run seed, keys); key it by pair id and results depend on no order."""
        return generator(self.seed, "defense", *keys)


@dataclass
class Batch:
    """One micro-batch of n visits, ready for the U-Net."""

    ids: tuple[str, ...]
    visit: int
    """With a pair's id it names a visit, and so whatever is drawn for it."""
    clean: Tensor
    """Scaled latents, (n, c, h, w)."""
    noise: Tensor
    """What is to be predicted, shaped like `clean`."""
    times: Tensor
    """Timesteps, (n,)."""
    text: Tensor
    """Text states, (n, tokens, d)."""
    added: Tensor | None = None
    """The noise that is really mixed in, where it is not `noise`."""
    output: Tensor = field(init=False, repr=False, compare=False)
    """What the U-Net put out for it, without gradient; known from `target` on."""


class Training(Protocol):
    """A training in progress, as a defense sees it."""

    notes: dict[str, Any]
    """The realised strength, as in `Context`; numbers added here end in the manifest."""
    pairs: Pairs
    """What is trained on, prepared."""
    auxiliary: Pairs
    """Pairs that are in no split; whatever is learnt is learnt from these."""
    recipe: Recipe

    @property
    def steps(self) -> int:
        """Updates done so far."""
        ...

    @property
    def prediction_type(self) -> str:
        """What the U-Net puts out: `epsilon` or `v_prediction`."""
        ...

    def rng(self, *keys: str | int) -> np.random.Generator:
        """A generator for (run seed, keys), the same after a resume."""
        ...

    def encode(self, captions: Sequence[str]) -> Tensor:
        """Text states of any captions, (n, tokens, d)."""
        ...

    @property
    def vocabulary(self) -> Sequence[int]:
        """Ids of the base's tokens that stand for text, special ones left out."""
        ...

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of these ids."""
        ...

    def alphas(self, times: Tensor) -> Tensor:
        """alpha_bar of these timesteps, (n,)."""
        ...

    def noisy(self, batch: Batch) -> Tensor:
        """What the U-Net is shown: sqrt(abar) z_0 + sqrt(1 - abar) eps."""
        ...

    def wanted(self, batch: Batch) -> Tensor:
        """What the output is held against without any defense: the noise, or the velocity."""
        ...

    def predict(self, noisy: Tensor, times: Tensor, text: Tensor) -> Tensor:
        """The U-Net's output as it stands, without gradient; counted as an extra forward."""
        ...

    def errors(self, batch: Batch) -> Tensor:
        """Squared errors of the predicted noise, (n, c, h, w), by an extra forward.

        With gradient, unless torch is told otherwise.
        """
        ...

    def redrawn(self, batch: Batch, *keys: str | int) -> Batch:
        """The same latents and text states with noise and timesteps of their own, keyed so."""
        ...

    def visits(self, pairs: Pairs, draw: int, ids: Sequence[str] | None = None) -> Batch:
        """One micro-batch of any pairs, or of some of them, with the draws of visit `draw`."""
        ...

    def loss_on(self, pairs: Pairs) -> float:
        """Denoising loss of the averaged weights on pairs, with draws that never change."""
        ...

    def teacher(self, name: str, ids: Sequence[str], epochs: int | None = None) -> Teacher:
        """Another model, trained from the base on some of the pairs by the same recipe.

        Counted in the notes; so are its forwards. `epochs` if not those of the recipe.
        """
        ...


class Teacher(Protocol):
    """A frozen model that was trained beside."""

    def __call__(self, noisy: Tensor, times: Tensor, text: Tensor) -> Tensor:
        """Its output, without gradient."""
        ...


@dataclass
class Defense:
    """Changes what training sees. Never sees a hold-out."""

    name: ClassVar[str]
    level: ClassVar[Level] = "data"
    """Where it steps in first; composed defenses act in the order of `LEVELS`."""
    excludes: ClassVar[Mapping[str, str]] = {}
    """Names of defenses that cannot go together with this one, each with the reason."""
    paper: ClassVar[str] = ""
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Settings that have a name of their own, asked for as `defense[preset=name]`."""

    zero: ClassVar[Mapping[str, Any] | None] = None
    """Parameters at which it does nothing, so that the weights are those of `none`; None: there
    are no such."""

    @property
    def title(self) -> str:
        """Its name in rows and on boards; another where a parameter makes it another method."""
        return self.name

    def reads(self) -> Sequence[Path]:
        """Files and folders beside its own source that its result depends on; part of the key."""
        return ()

    # Once, before training

    def prepare(self, pairs: Pairs, context: Context) -> Pairs:
        """The pairs to train on, made from the members."""
        return pairs

    def recipe(self, recipe: Recipe, pairs: int) -> Recipe:
        """The recipe to train so many pairs by; `recipe.changed(lr=...)` makes another."""
        return recipe

    def begin(self, training: Training) -> None:
        """Sets up what the hooks below need: teachers, networks, tables."""

    # At every visit, micro-batch, update, epoch

    def caption(self, pair: str, caption: str, rng: np.random.Generator) -> str:
        """The caption that one visit of the pair with this id trains on."""
        return caption

    def on_batch(self, batch: Batch, training: Training) -> Batch:
        """The micro-batch with other latents, noise or text states."""
        return batch

    def target(self, batch: Batch, training: Training) -> Tensor | None:
        """What the U-Net's output is held against instead of the true noise (or velocity)."""
        return None

    def weigh(self, errors: Tensor, batch: Batch, training: Training) -> Tensor | None:
        """Weights of the pairs' losses, (n,): the loss is the mean of weight times loss.

        `errors` are squared, (n, c, h, w), with gradient; a pair's loss is their mean. None: 1.
        """
        return None

    def after_step(self, training: Training) -> None:
        """Called after every update of the weights."""

    def stops(self, epoch: int, training: Training) -> bool:
        """Whether training ends after so many epochs; asked at the end of each."""
        return False

    def state(self) -> dict[str, Tensor]:
        """Whatever a resumed training must know of this defense; stored with each checkpoint."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Takes back what `state` gave."""

    # What an attacker who knows the defense may try

    def replay(self, pairs: Pairs, context: Context, number: int) -> Pairs:
        """The pairs with captions as this defense might have made them, replay 0, 1, ...

        The context holds a seed of the attacker's own for each replay. By default `prepare` again,
        and what a visit would read of it.
        """
        made = self.prepare(pairs, context)
        captions = {
            id_: self.caption(id_, caption, context.rng(self.name, "visit", id_, number))
            for id_, caption in zip(made.ids, made.captions, strict=True)
        }
        return pairs.with_captions(captions)
