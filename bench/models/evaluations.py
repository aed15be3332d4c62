"""U-Net evaluations of one model, made once and shared by all attacks of a run on it.

An evaluation is known by what was asked: these pairs, this timestep, these captions, this crop.
It is made for all pairs at once, one timestep a forward and always in the same batches, so that
its result is the same bits whichever attack asks first and whether it asks alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.data.geometry import centre, cut, resize, zoom
from bench.data.pairs import Pairs
from bench.errors import BudgetError, UsageError
from bench.models.attention import by_word, recorded, text_projected_once
from bench.models.base import Base, encode_text
from bench.models.diffusion import add_noise, as_noise
from bench.rng import generator

if TYPE_CHECKING:
    from torch import Tensor

    from bench.api import FloatArray

ROWS = 64
"""U-Net rows a forward; fixed, since float32 sums may round differently by batch."""
KEPT_BYTES = 2 << 30
"""Predictions are kept for the next attack up to this size in all; losses always."""
TEXT_BYTES = 256 << 20
"""Text states are kept up to this size in all."""


class Question(NamedTuple):
    """What a shared evaluation is known by, but for its timestep."""

    ids: tuple[str, ...]
    captions: tuple[str, ...]
    crop: float = 1.0
    """Side of the centre crop, as a share of the picture's, that is scaled back to full size."""
    text_noise: float = 0.0
    """Gaussian noise on the text states, in units of their standard deviation."""


class Evaluations:
    """Latents, text, noise and U-Net evaluations of one model for one run seed.

    Latents are posterior means (the published attacks sample the posterior: noise without
    signal). Everything in float32: CLiD's differences are 1e-3 of a loss of 1e-1.
    """

    def __init__(
        self,
        base: Base,
        seed: int,
        rows: int = ROWS,
        progress: Callable[[int], None] = lambda rows: None,
    ) -> None:
        self.base = base
        self.seed = seed
        self.rows = rows
        self.made = 0
        """U-Net rows really evaluated."""
        self.progress = progress
        self._latents: dict[tuple[str, ...], Tensor] = {}
        self._states: dict[tuple[str, ...], Tensor] = {}
        self._losses: dict[tuple[Question, int], FloatArray] = {}
        self._predictions: dict[tuple[Question, int], Tensor] = {}

    def losses(self, question: Question, timestep: int) -> FloatArray:
        """The denoising loss of every pair, shape (n,); `make` must have been called."""
        return self._losses[question, timestep]

    def make(
        self, pairs: Pairs, timesteps: Sequence[int], question: Question, keep: bool = False
    ) -> dict[int, Tensor]:
        """Evaluates what is not known yet; with `keep`, gives the predicted noises by timestep."""
        for t in timesteps:
            self.check(t)
        known = self._predictions if keep else self._losses
        todo = [t for t in dict.fromkeys(timesteps) if (question, t) not in known]
        made: dict[int, list[tuple[FloatArray, Tensor | None]]] = {t: [] for t in todo}
        if todo:
            worded = pairs.with_captions(question.captions)
            for some in self.batches(worded):
                for t, errors, predicted in self._asked(some, todo, question):
                    made[t].append((errors, predicted.cpu() if keep else None))
        found = {t: self._predictions[question, t] for t in timesteps if keep and t not in made}
        for t, parts in made.items():
            self._losses[question, t] = np.concatenate([errors for errors, _ in parts])
            if keep:
                found[t] = _joined([predicted for _, predicted in parts])
                self._remember(question, t, found[t])
        return found

    def _asked(
        self, pairs: Pairs, timesteps: Sequence[int], question: Question
    ) -> Iterator[tuple[int, FloatArray, Tensor]]:
        """One batch: at every timestep the loss, (n,), and the predicted noise, (n, c, h, w)."""
        clean, text = self.latents(pairs, question.crop), self.text(pairs.captions)
        if question.text_noise:
            text = text + question.text_noise * self._text_noise(pairs, text)
        with text_projected_once(self.base.unet):
            for t in timesteps:
                noise = self.noise(pairs, t)
                alpha_bar = self.base.alphas_cumprod[t].expand(len(pairs))
                predicted = self.predict(add_noise(clean, noise, alpha_bar), t, text)
                errors = (predicted - noise).double().square().flatten(1).mean(dim=1)
                yield t, np.asarray(errors.cpu().numpy(), dtype=np.float64), predicted

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

    def _remember(self, question: Question, timestep: int, predicted: Tensor) -> None:
        held = sum(t.nbytes for t in self._predictions.values())
        if held + predicted.nbytes <= KEPT_BYTES:
            self._predictions[question, timestep] = predicted

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
            states: Tensor = encode_text(self.base, single)
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
            rows = slice(start, start + self.rows)
            some = text if len(text) <= self.rows else text[rows]  # the same tensor, if it can be
            try:
                parts.append(self._forward(noisy[rows], timestep, some))
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
        with torch.inference_mode():
            output = self.base.unet(noisy, times, encoder_hidden_states=text).sample
        self.made += len(noisy)
        self.progress(self.made)
        alpha_bar = self.base.alphas_cumprod[times]
        return as_noise(output, noisy, alpha_bar, self.base.prediction_type)


def _joined(rows: Sequence[Tensor | None]) -> Tensor:
    import torch

    return torch.cat([part for part in rows if part is not None])
