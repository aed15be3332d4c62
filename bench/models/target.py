"""The model under attack, as an attacker may query it; every U-Net row is counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.data.pairs import Pairs
from bench.errors import UsageError
from bench.models.base import Base, encode_text
from bench.models.diffusion import add_noise, as_noise
from bench.rng import generator
from bench.training.geometry import centre, cut, resize

if TYPE_CHECKING:
    from torch import Tensor

    from bench.api import FloatArray

ROWS = 64
"""U-Net rows a forward; fixed by default, since float32 sums may round differently by batch."""


class ModelTarget:
    """A diffusion model with a query counter; implements `bench.api.Target`.

    Latents are posterior means (the published attacks sample the posterior: noise without
    signal); noise is keyed by (seed, pair, timestep), so that every attack and every caption meets
    the same. Everything in float32: CLiD's differences are 1e-3 of a loss of 1e-1.
    """

    def __init__(
        self,
        base: Base,
        seed: int,
        rows: int = ROWS,
        progress: Callable[[int], None] = lambda queries: None,
    ) -> None:
        self.base = base
        self.seed = seed
        self.rows = rows
        self.queries = 0
        self._progress = progress
        self._latents: dict[str, Tensor] = {}

    def latents(self, pairs: Pairs) -> Tensor:
        """Scaled posterior means, shape (n, c, h, w); each picture is encoded once."""
        import torch

        side = self.base.resolution
        todo = [id_ for id_ in pairs.ids if id_ not in self._latents]
        for start in range(0, len(todo), self.rows):
            ids = todo[start : start + self.rows]
            squares = [resize(pairs.image(id_), side) for id_ in ids]
            batch = np.stack([cut(s, centre(s, side), side) for s in squares])
            with torch.inference_mode():
                posterior = self.base.vae.encode(torch.from_numpy(batch).to(self.base.device))
            means = posterior.latent_dist.mean * self.base.scaling_factor
            self._latents.update(zip(ids, means, strict=True))
        return torch.stack([self._latents[id_] for id_ in pairs.ids])

    def text(self, captions: Sequence[str]) -> Tensor:
        """Text states, shape (n, tokens, d)."""
        import torch

        with torch.inference_mode():
            states: Tensor = encode_text(self.base, list(captions))
        return states

    def noise(self, pairs: Pairs, timestep: int) -> Tensor:
        """The pairs' own noise at this timestep, shape (n, c, h, w)."""
        import torch

        shape = tuple(self.latents(pairs).shape[1:])
        draws = [
            generator(self.seed, "attack-noise", id_, timestep).standard_normal(
                shape, dtype=np.float32
            )
            for id_ in pairs.ids
        ]
        return torch.from_numpy(np.stack(draws)).to(self.base.device)

    def predict(self, noisy: Tensor, timestep: int, text: Tensor) -> Tensor:
        """eps_theta(z_t, t, c) for rows of one timestep, shape like `noisy`."""
        import torch

        self._check([timestep])
        times = torch.full((len(noisy),), timestep, device=noisy.device)
        return self._predict(noisy, times, text)

    def losses(
        self, pairs: Pairs, timesteps: Sequence[int], captions: Sequence[str] | None = None
    ) -> FloatArray:
        """Mean squared error of the predicted noise, shape (n, len(timesteps)), float64."""
        self._check(timesteps)
        captions = pairs.captions if captions is None else captions
        if len(captions) != len(pairs):
            raise ValueError(f"{len(captions)} captions for {len(pairs)} pairs")
        self.latents(pairs)
        a_forward = max(1, self.rows // len(timesteps))
        parts = [
            self._losses(
                pairs.select(pairs.ids[i : i + a_forward]), timesteps, captions[i : i + a_forward]
            )
            for i in range(0, len(pairs), a_forward)
        ]
        return np.concatenate(parts)

    def _check(self, timesteps: Sequence[int]) -> None:
        most = self.base.scheduler.config.num_train_timesteps - 1
        for t in timesteps:
            if not 0 <= t <= most:
                raise UsageError(f"timestep {t} is outside the model's 0 to {most}")

    def _losses(
        self, pairs: Pairs, timesteps: Sequence[int], captions: Sequence[str]
    ) -> FloatArray:
        import torch

        n, k = len(pairs), len(timesteps)
        clean = self.latents(pairs).repeat_interleave(k, dim=0)
        noise = torch.stack([self.noise(pairs, t) for t in timesteps], dim=1).flatten(0, 1)
        times = torch.tensor(timesteps, device=clean.device).repeat(n)
        text = self.text(captions).repeat_interleave(k, dim=0)
        alpha_bar = self.base.alphas_cumprod[times]
        predicted = self._predict(add_noise(clean, noise, alpha_bar), times, text)
        errors = (predicted - noise).double().square().flatten(1).mean(dim=1)
        return np.asarray(errors.view(n, k).cpu().numpy(), dtype=np.float64)

    def _predict(self, noisy: Tensor, times: Tensor, text: Tensor) -> Tensor:
        import torch

        self.queries += len(noisy)
        with torch.inference_mode():
            output = self.base.unet(noisy, times, encoder_hidden_states=text).sample
        self._progress(self.queries)
        alpha_bar = self.base.alphas_cumprod[times]
        return as_noise(output, noisy, alpha_bar, self.base.prediction_type)
