"""What training reads of a pair again and again, computed once where that changes nothing.

The posterior's mean and log-variance are kept, not a sample, because training draws one at every
visit. A flipped latent is not the latent of the flipped picture, so each (crop, flip) has its own
entry; where the squares of a whole training do not fit, each is encoded when it is visited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from bench.data.geometry import Crop, Pixels, cut, resize
from bench.data.pairs import Pairs
from bench.models.base import Base, encode_text

if TYPE_CHECKING:
    from torch import Tensor

LIMIT_BYTES = 512 * 2**20
ENCODE_BATCH = 64


Visit = tuple[int, Crop]
"""Index of a pair and the square of it that is seen."""


class Posteriors:
    """VAE posteriors of visited squares: encoded up front if they fit, else on the fly."""

    def __init__(self, base: Base, pairs: Pairs, margin: int) -> None:
        self._base, self._side = base, base.resolution
        self.pixels: list[Pixels] = [resize(pair.image, self._side, margin) for pair in pairs]
        self._known: dict[Visit, Tensor] = {}

    def fill(self, visits: Iterable[Visit], progress: Callable[[int, int], None]) -> None:
        """Encodes the squares that training is going to visit, unless that is too much to hold.

        All at once and in a fixed order: the batch a square is encoded in may change its last bit,
        and a resumed training must meet the same bits.
        """
        wanted = sorted(set(visits))
        factor = 2 ** (len(self._base.vae.config.block_out_channels) - 1)
        floats = 2 * self._base.vae.config.latent_channels * (self._side // factor) ** 2
        if len(wanted) * floats * 4 > LIMIT_BYTES:
            return
        for start in range(0, len(wanted), ENCODE_BATCH):
            some = wanted[start : start + ENCODE_BATCH]
            self._known.update(zip(some, self._encode(some), strict=True))
            progress(start + len(some), len(wanted))

    def of(self, visits: list[Visit]) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of these squares, each (n, c, h, w), unscaled."""
        import torch

        missing = [visit for visit in visits if visit not in self._known]
        fresh = dict(zip(missing, self._encode(missing), strict=True)) if missing else {}
        rows = torch.stack([fresh[v] if v in fresh else self._known[v] for v in visits])
        mean, logvar = rows.chunk(2, dim=1)
        return mean, logvar

    def _encode(self, visits: list[Visit]) -> Tensor:
        import torch

        squares = np.stack([cut(self.pixels[i], crop, self._side) for i, crop in visits])
        with torch.no_grad():
            images = torch.from_numpy(squares).to(self._base.device)
            posterior = self._base.vae.encode(images).latent_dist
        return torch.cat([posterior.mean, posterior.logvar], dim=1)


class TextStates:
    """Text states of the training captions; the text encoder is frozen, so once is enough."""

    def __init__(self, base: Base, captions: tuple[str, ...]) -> None:
        import torch

        texts = sorted(set(captions))
        with torch.no_grad():
            parts = [
                encode_text(base, texts[i : i + ENCODE_BATCH])
                for i in range(0, len(texts), ENCODE_BATCH)
            ]
        where = {text: i for i, text in enumerate(texts)}
        self._states: Tensor = torch.cat(parts)
        self._row = [where[caption] for caption in captions]

    def of(self, indices: list[int]) -> Tensor:
        """Text states of the pairs with these indices, shape (n, tokens, d)."""
        return self._states[[self._row[i] for i in indices]]
