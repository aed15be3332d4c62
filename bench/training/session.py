"""A training in progress as its defenses see it: implements `bench.api.Training`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.data.pairs import Pairs
from bench.defending import Batch
from bench.models.diffusion import add_noise, as_noise, training_target
from bench.rng import generator
from bench.specs import Augment
from bench.training.means import Means
from bench.training.recipe import Recipe
from bench.training.visits import Visits

if TYPE_CHECKING:
    from torch import Tensor

    from bench.training.trainer import Trainer

HELD_DRAWS = 4
"""Visits of each pair in a denoising loss that decides something."""
FORWARD = 64


@dataclass
class Session:
    """What a defense may ask of the training it is part of."""

    trainer: Trainer
    pairs: Pairs
    auxiliary: Pairs
    recipe: Recipe
    augment: Augment
    seed: int
    stream: Visits
    """The members' visits; also knows the text states."""
    train_beside: Callable[[str, Pairs, int | None], tuple[Any, dict[str, Any]]]
    """Trains another U-Net from the base on some pairs for so many epochs, once; its figures."""
    notes: dict[str, Any] = field(default_factory=dict)
    others: dict[tuple[str, ...], Visits] = field(default_factory=dict)
    """Streams of pairs that are not trained on."""
    means: Means = field(default_factory=Means)

    @property
    def steps(self) -> int:
        return self.trainer.steps

    @property
    def prediction_type(self) -> str:
        return self.trainer.base.prediction_type

    def rng(self, *keys: str | int) -> np.random.Generator:
        return generator(self.seed, "defense", *keys)

    def encode(self, captions: Sequence[str]) -> Tensor:
        return self.stream.text.of(captions)

    @property
    def vocabulary(self) -> list[int]:
        tokenizer = self.trainer.base.tokenizer
        return sorted(set(tokenizer.get_vocab().values()) - set(tokenizer.all_special_ids))

    def decode(self, tokens: Sequence[int]) -> str:
        text: str = self.trainer.base.tokenizer.decode(list(tokens))
        return text

    def alphas(self, times: Tensor) -> Tensor:
        alphas: Tensor = self.trainer.base.alphas_cumprod[times]
        return alphas

    def noisy(self, batch: Batch) -> Tensor:
        added = batch.noise if batch.added is None else batch.added
        return add_noise(batch.clean, added, self.alphas(batch.times))

    def wanted(self, batch: Batch) -> Tensor:
        """What the network is trained to put out without any defense: noise or velocity."""
        kind = self.trainer.base.prediction_type
        return training_target(batch.clean, batch.noise, self.alphas(batch.times), kind)

    def predict(self, noisy: Tensor, times: Tensor, text: Tensor) -> Tensor:
        import torch

        with torch.no_grad():
            output: Tensor = self.trainer.unet(noisy, times, encoder_hidden_states=text).sample
        self._count("extra_forwards", len(noisy))
        return output.float()

    def errors(self, batch: Batch) -> Tensor:
        noisy = self.noisy(batch)
        output = self.trainer.unet(noisy, batch.times, encoder_hidden_states=batch.text).sample
        self._count("extra_forwards", len(noisy))
        kind = self.trainer.base.prediction_type
        predicted = as_noise(output.float(), noisy, self.alphas(batch.times), kind)
        return (predicted - batch.noise).square()

    def redrawn(self, batch: Batch, *keys: str | int) -> Batch:
        import torch

        rngs = [self.rng(*keys, id_, batch.visit) for id_ in batch.ids]
        steps = self.trainer.base.scheduler.config.num_train_timesteps
        times = [int(rng.integers(steps)) for rng in rngs]
        shape = tuple(batch.clean.shape[1:])
        noise = np.stack([rng.standard_normal(shape, dtype=np.float32) for rng in rngs])
        device = batch.clean.device
        return replace(
            batch,
            noise=torch.from_numpy(noise).to(device),
            times=torch.tensor(times, device=device),
            added=None,
        )

    def visits(self, pairs: Pairs, draw: int, ids: Sequence[str] | None = None) -> Batch:
        key = (*pairs.ids, *pairs.captions)
        if key not in self.others:
            self.others[key] = Visits(
                self.trainer.base, pairs, self.recipe, self.augment, self.seed, means=self.means
            )
        rows = range(len(pairs)) if ids is None else [pairs.ids.index(id_) for id_ in ids]
        return self.others[key].batch(rows, draw)

    def loss_on(self, pairs: Pairs) -> float:
        with self.trainer.averaged():
            losses = [
                self._losses(self.visits(pairs.select(pairs.ids[i : i + FORWARD]), draw))
                for i in range(0, len(pairs), FORWARD)
                for draw in range(HELD_DRAWS)
            ]
        return float(np.concatenate(losses).mean())

    def _losses(self, batch: Batch) -> Any:
        output = self.predict(self.noisy(batch), batch.times, batch.text)
        return (output - self.wanted(batch)).square().flatten(1).mean(1).cpu().numpy()

    def teacher(
        self, name: str, ids: Sequence[str], epochs: int | None = None
    ) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
        import torch

        unet, figures = self.train_beside(name, self.pairs.select(ids), epochs)
        self._count("extra_trainings", 1)
        for what in ("steps", "pictures"):
            self._count(f"extra_{what}", figures[what])

        def answer(noisy: Tensor, times: Tensor, text: Tensor) -> Tensor:
            with torch.no_grad():
                output: Tensor = unet(noisy, times, encoder_hidden_states=text).sample
            self._count("extra_forwards", len(noisy))
            return output.float()

        return answer

    def _count(self, what: str, more: float) -> None:
        self.notes[what] = self.notes.get(what, 0) + more
