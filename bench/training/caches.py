"""What training reads of a pair again and again, computed once where that changes nothing.

The posterior's mean and log-variance are kept, not a sample, because training draws one at every
visit. A flipped latent is not the latent of the flipped picture, so each (crop, flip) has its own
entry; where the squares of a whole training do not fit, each is encoded when it is visited. So is
whatever is strongly augmented, of which no square comes twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.data.geometry import Crop, Pixels, cut, resize
from bench.data.pairs import Pairs
from bench.data.strong import Strong
from bench.models.base import Base, encode_text

if TYPE_CHECKING:
    from torch import Tensor

LIMIT_BYTES = 512 * 2**20
ENCODE_BATCH = 64


Visit = tuple[int, Crop | Strong]
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
        wanted = sorted({(i, crop) for i, crop in visits if isinstance(crop, Crop)})
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

    def _encode(self, visits: Sequence[Visit]) -> Tensor:
        import torch

        squares = np.stack([cut(self.pixels[i], crop, self._side) for i, crop in visits])
        with torch.no_grad():
            images = torch.from_numpy(squares).to(self._base.device)
            posterior = self._base.vae.encode(images).latent_dist
        return torch.cat([posterior.mean, posterior.logvar], dim=1)


class TextStates:
    """Text states of captions; the text encoder is frozen, so once for each is enough.

    Captions that are known beforehand are encoded up front. Those that a visit brings are encoded
    with their micro-batch and not remembered: the batch a caption is encoded in may change its last
    bit, and a resumed training must meet the same bits.
    """

    def __init__(self, base: Base, captions: Iterable[str]) -> None:
        import torch

        self._base = base
        texts = sorted(set(captions))
        self._row = {text: i for i, text in enumerate(texts)}
        parts = [texts[i : i + ENCODE_BATCH] for i in range(0, len(texts), ENCODE_BATCH)]
        self._states: Tensor = torch.cat([self._encode(part) for part in parts])

    def of(self, captions: Sequence[str]) -> Tensor:
        """Text states of these captions, shape (n, tokens, d)."""
        import torch

        fresh = [caption for caption in dict.fromkeys(captions) if caption not in self._row]
        if not fresh:
            return self._states[[self._row[caption] for caption in captions]]
        states = dict(zip(fresh, self._encode(fresh), strict=True))
        return torch.stack(
            [states[c] if c in states else self._states[self._row[c]] for c in captions]
        )

    def _encode(self, captions: list[str]) -> Tensor:
        import torch

        with torch.no_grad():
            states: Tensor = encode_text(self._base, captions)
        return states
