"""U-Net evaluations of one model, made once and shared by all attacks of a run on it.

An evaluation is known by what was asked: these pairs, this timestep, these captions, this crop.
It is made for all pairs at once, one timestep a forward and always in the same batches, so that
its result is the same bits whichever attack asks first and whether it asks alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.data.geometry import centre, cut, resize, zoom
from bench.data.pairs import Pairs
from bench.errors import BudgetError, UsageError
from bench.models.attention import by_word, recorded, text_projected_once
from bench.models.base import Base, encode_text
from bench.models.beginning import begun_once
from bench.models.diffusion import add_noise, as_noise
from bench.rng import generator
from bench.specs import Precision

if TYPE_CHECKING:
    from torch import Tensor

    from bench.api import FloatArray

ROWS = 64
"""U-Net rows a forward; fixed, since float32 sums may round differently by batch. Halved where the
device's memory is too small: a power of two, so that shards begin where batches do."""
KEPT_BYTES = 2 << 30
"""Predictions are kept for the next attack up to this size in all; losses always."""
TEXT_BYTES = 256 << 20
"""Text states are kept up to this size in all."""
TEXT_ROWS = 32
"""Captions that the text encoder reads at once: more of them leave a core's cache."""


class Question(NamedTuple):
    """What a shared evaluation is known by, but for its timestep."""

    ids: tuple[str, ...]
    captions: tuple[str, ...]
    crop: float = 1.0
    """Side of the centre crop, as a share of the picture's, that is scaled back to full size."""
    text_noise: float = 0.0
    """Gaussian noise on the text states, in units of their standard deviation."""


Asked = tuple[Question, int]
"""A question at a timestep: one row a pair."""


class Evaluations:
    """Latents, text, noise and U-Net evaluations of one model for one run seed.

    Latents are posterior means (the published attacks sample the posterior: noise without
    signal). Everything in float32: CLiD's differences are 1e-3 of a loss of 1e-1. Under another
    `precision` the U-Net alone runs in it, by autocast; noise, latents and errors stay as they are.
    """

    def __init__(
        self,
        base: Base,
        seed: int,
        rows: int = ROWS,
        progress: Callable[[int], None] = lambda rows: None,
        precision: Precision = "fp32",
    ) -> None:
        self.base = base
        self.seed = seed
        self.rows = rows
        self.precision = precision
        self.made = 0
        """U-Net rows really evaluated."""
        self.progress = progress
        self._latents: dict[tuple[str, ...], Tensor] = {}
        self._states: dict[tuple[str, ...], Tensor] = {}
        self._losses: dict[Asked, FloatArray] = {}
        self._predictions: dict[Asked, Tensor] = {}

    def losses(self, question: Question, timestep: int) -> FloatArray:
        """The denoising loss of every pair, shape (n,); `make` must have been called."""
        return self._losses[question, timestep]

    def make(
        self, pairs: Pairs, timesteps: Sequence[int], *questions: Question, keep: bool = False
    ) -> dict[Asked, Tensor]:
        """Evaluates what is not known yet; with `keep`, gives the predicted noises.

        Questions asked together cost less than one after the other, and end in the same bits.
        """
        for t in timesteps:
            self.check(t)
        asked = [(question, t) for question in questions for t in timesteps]
        known = self._predictions if keep else self._losses
        todo = [one for one in dict.fromkeys(asked) if one not in known]
        found = {one: self._predictions[one] for one in asked if keep and one not in todo}
        made: dict[Asked, list[tuple[FloatArray, Tensor | None]]] = {one: [] for one in todo}
        for some in self.batches(pairs) if todo else ():
            for one, errors, predicted in self._evaluated(some, pairs, todo):
                made[one].append((errors, predicted.cpu() if keep else None))
        for one, parts in made.items():
            self._losses[one] = np.concatenate([errors for errors, _ in parts])
            if keep:
                found[one] = _joined([predicted for _, predicted in parts])
                self._remember(one, found[one])
        return found

    def _evaluated(
        self, some: Pairs, pairs: Pairs, todo: Sequence[Asked]
    ) -> Iterator[tuple[Asked, FloatArray, Tensor]]:
        """One batch: of everything asked the loss, (n,), and the predicted noise, (n, c, h, w)."""
        noises = {t: self.noise(some, t) for t in dict.fromkeys(t for _, t in todo)}
        noised = self._noised(some, todo, noises)
        asked_again = list(noised.values()) if len(todo) > len(noised) else []
        unet = self.base.unet
        with text_projected_once(unet), begun_once(unet, asked_again):
            for question, together in groupby(todo, key=itemgetter(0)):
                text = self._text_of(question, some, pairs)
                for _, t in together:
                    predicted = self.predict(noised[question.crop, t], t, text)
                    errors = (predicted - noises[t]).double().square().flatten(1).mean(dim=1)
                    loss = np.asarray(errors.cpu().numpy(), dtype=np.float64)
                    yield (question, t), loss, predicted

    def _noised(
        self, some: Pairs, todo: Sequence[Asked], noises: dict[int, Tensor]
    ) -> dict[tuple[float, int], Tensor]:
        """z_t of a batch by crop and timestep, (n, c, h, w) each; a crop is encoded once."""
        clean = {crop: self.latents(some, crop) for crop in {one.crop for one, _ in todo}}
        alpha_bar = {t: self.base.alphas_cumprod[t].expand(len(some)) for t in noises}
        return {
            (crop, t): add_noise(clean[crop], noises[t], alpha_bar[t])
            for crop, t in dict.fromkeys((question.crop, t) for question, t in todo)
        }

    def _text_of(self, question: Question, some: Pairs, pairs: Pairs) -> Tensor:
        """Text states of a batch under the question that is asked of all pairs."""
        captions = dict(zip(pairs.ids, question.captions, strict=True))
        text = self.text([captions[id_] for id_ in some.ids])
        if question.text_noise:
            text = text + question.text_noise * self._text_noise(some, text)
        return text

    def check(self, timestep: int) -> None:
        """UsageError for a timestep that the model's schedule does not have."""
        most = self.base.scheduler.config.num_train_timesteps - 1
        if not 0 <= timestep <= most:
            raise UsageError(f"timestep {timestep} is outside the model's 0 to {most}")

    def word_importance(self, pairs: Pairs, timestep: int, question: Question) -> list[list[float]]:
        """Attention by word of each caption; the loss of the same evaluation is remembered."""
        self._losses.pop((question, timestep), None)  # the maps come with the evaluation only
        with recorded(self.base.unet) as maps:
            self.make(pairs, [timestep], question)
        weights = [row for part in maps for row in part.tolist()]
        return [
            by_word(caption, row, self.base.tokenizer)
            for caption, row in zip(question.captions, weights, strict=True)
        ]

    def _remember(self, asked: Asked, predicted: Tensor) -> None:
        held = sum(t.nbytes for t in self._predictions.values())
        if held + predicted.nbytes <= KEPT_BYTES:
            self._predictions[asked] = predicted

    def batches(self, pairs: Pairs) -> Iterator[Pairs]:
        """The pairs in parts that one forward takes; smaller ones once the memory was too small."""
        start = 0
        while start < len(pairs):
            some = pairs.select(pairs.ids[start : start + self.rows])
            yield some
            start += len(some)

    def latents(self, pairs: Pairs, crop: float = 1.0) -> Tensor:
        """Scaled posterior means, shape (n, c, h, w); those of whole pictures are remembered."""
        import torch

        parts = []
        for some in self.batches(pairs):
            # Known by their batch: a pair encoded among others might end in other bits.
            means = self._latents.get(some.ids) if crop == 1 else None
            if means is None:
                batch = np.stack([self._square(some, id_, crop) for id_ in some.ids])
                with torch.inference_mode():
                    posterior = self.base.vae.encode(torch.from_numpy(batch).to(self.base.device))
                means = posterior.latent_dist.mean * self.base.scaling_factor
                if crop == 1:
                    self._latents[some.ids] = means
            parts.append(means)
        return torch.cat(parts)

    def _square(self, pairs: Pairs, id_: str, crop: float) -> NDArray[np.float32]:
        """The middle of the picture as the model reads it, shape (c, side, side)."""
        side = self.base.resolution
        pixels = resize(pairs.image(id_), side)
        if crop != 1:
            pixels = zoom(pixels, side, crop)
        return cut(pixels, centre(pixels, side), side)

    def text(self, captions: Sequence[str]) -> Tensor:
        """Text states, shape (n, tokens, d); encoded once while there is room.

        Known by the whole sequence: a caption encoded among others might end in other bits.
        """
        import torch

        asked = tuple(captions)
        if asked in self._states:
            return self._states[asked]
        single = list(dict.fromkeys(asked))
        with torch.inference_mode():
            parts = [
                encode_text(self.base, single[i : i + TEXT_ROWS])
                for i in range(0, len(single), TEXT_ROWS)
            ]
        states = torch.cat(parts)
        if len(single) < len(asked):
            where = {caption: i for i, caption in enumerate(single)}
            states = states[[where[caption] for caption in asked]]
        if sum(known.nbytes for known in self._states.values()) + states.nbytes <= TEXT_BYTES:
            self._states[asked] = states
        return states

    def _text_noise(self, pairs: Pairs, text: Tensor) -> Tensor:
        """Normal noise of each caption's own spread, keyed by pair: the same at every timestep."""
        import torch

        shape = tuple(text.shape[1:])
        draws = [
            generator(self.seed, "text-noise", id_).standard_normal(shape, dtype=np.float32)
            for id_ in pairs.ids
        ]
        noise = torch.from_numpy(np.stack(draws)).to(text.device)
        return noise * text.flatten(1).std(dim=1)[:, None, None]

    def noise(self, pairs: Pairs, timestep: int) -> Tensor:
        """The pairs' own noise at this timestep, shape (n, c, h, w)."""
        import torch

        config = self.base.unet.config
        shape = (config.in_channels, config.sample_size, config.sample_size)
        draws = [
            generator(self.seed, "attack-noise", id_, timestep).standard_normal(
                shape, dtype=np.float32
            )
            for id_ in pairs.ids
        ]
        return torch.from_numpy(np.stack(draws)).to(self.base.device)

    def predict(self, noisy: Tensor, timestep: int, text: Tensor) -> Tensor:
        """eps_theta(z_t, t, c) for rows of one timestep, in batches that fit the memory."""
        import torch

        self.check(timestep)
        parts, start = [], 0
        while start < len(noisy):
            # The same tensors, if it can be: what is known of a tensor is not known of its copy.
            whole, rows = len(noisy) <= self.rows, slice(start, start + self.rows)
            some, said = (noisy, text) if whole else (noisy[rows], text[rows])
            try:
                parts.append(self._forward(some, timestep, said))
            except torch.OutOfMemoryError:
                if self.rows == 1:
                    raise BudgetError("one U-Net row does not fit the device's memory") from None
                self.rows = max(1, self.rows // 2)
                continue
            start += len(parts[-1])
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _forward(self, noisy: Tensor, timestep: int, text: Tensor) -> Tensor:
        import torch

        times = torch.full((len(noisy),), timestep, device=noisy.device)
        lower = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.precision)
        cast = torch.autocast(noisy.device.type, lower, enabled=lower is not None)
        with torch.inference_mode(), cast:
            output = self.base.unet(noisy, times, encoder_hidden_states=text).sample.float()
        self.made += len(noisy)
        self.progress(self.made)
        alpha_bar = self.base.alphas_cumprod[times]
        return as_noise(output, noisy, alpha_bar, self.base.prediction_type)


def _joined(rows: Sequence[Tensor | None]) -> Tensor:
    import torch

    return torch.cat([part for part in rows if part is not None])
