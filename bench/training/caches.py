"""What training reads of a pair again and again, computed once where that changes nothing.

The posterior's mean and log-variance are kept, not a sample, because training draws one at every
visit. A flipped latent is not the latent of the flipped picture, so each (crop, flip) has its own
entry; where the squares of a whole training do not fit, each is encoded when it is visited. So is
whatever is strongly augmented, of which no square comes twice.

Where a square is large, encoding it takes as long as learning from it. There the squares of a
training without random crops (one or two a picture) and the states of its captions are kept on
disk, for this training and the next ones, and each is encoded alone: so its bits depend on nothing
but itself, and it makes no difference who encoded it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.data.geometry import Crop, cut
from bench.data.pairs import Pairs
from bench.data.strong import Strong
from bench.models.base import Base
from bench.training.means import Means
from bench.training.pictures import Pictures
from bench.training.shelf import Shelf, identity

if TYPE_CHECKING:
    from torch import Tensor

LIMIT_BYTES = 512 * 2**20
ENCODE_BATCH = 64
LARGE_SIDE = 128
"""Pixels from which on a square is encoded alone."""

Visit = tuple[int, Crop | Strong]
"""Index of a pair and the square of it that is seen."""
Progress = Callable[[int, int], None]


class Posteriors:
    """VAE posteriors of visited squares: encoded up front if they fit, else on the fly."""

    def __init__(self, base: Base, pairs: Pairs, margin: int, means: Means | None = None) -> None:
        self._base, self._side, self._means = base, base.resolution, means or Means()
        self.pixels = Pictures(pairs, self._side, margin)
        self._known: dict[Visit, Tensor] = {}
        self._kept: dict[Visit, str] = {}
        self._shelf = Shelf()

    def fill(self, visits: Iterable[Visit], progress: Progress) -> None:
        """Encodes the squares that training is going to visit, unless that is too much to hold.

        All at once and in a fixed order: the batch a square is encoded in may change its last bit,
        and a resumed training must meet the same bits.
        """
        wanted: list[Visit] = sorted({(i, c) for i, c in visits if isinstance(c, Crop)})
        factor = 2 ** (len(self._base.vae.config.block_out_channels) - 1)
        floats = 2 * self._base.vae.config.latent_channels * (self._side // factor) ** 2
        fits = len(wanted) * floats * 4 <= LIMIT_BYTES
        large = self._side >= LARGE_SIDE
        if large and self._means.cache and len(wanted) <= 2 * len(self.pixels):
            folder = self._means.cache / "latents" / identity(self._base.vae)
            self._keep(wanted, Shelf(folder), fits, progress)
        elif fits:
            size = 1 if large else ENCODE_BATCH
            for start in range(0, len(wanted), size):
                some = wanted[start : start + size]
                self._known.update(zip(some, self._encode(some), strict=True))
                progress(start + len(some), len(wanted))

    def of(self, visits: list[Visit]) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of these squares, each (n, c, h, w), unscaled."""
        import torch

        missing = [
            visit for visit in visits if visit not in self._known and visit not in self._kept
        ]
        fresh: dict[Visit, Tensor] = {}
        if missing:
            encoded = self._means.peers.computed(
                len(missing), lambda rows: self._encode([missing[row] for row in rows])
            )
            fresh = dict(zip(missing, encoded, strict=True))
        rows = torch.stack([fresh[v] if v in fresh else self._found(v) for v in visits])
        mean, logvar = rows.chunk(2, dim=1)
        return mean, logvar

    def _keep(self, wanted: list[Visit], shelf: Shelf, fits: bool, progress: Progress) -> None:
        """Sees to it that all of them lie on the shelf, each process to its own share."""
        self._shelf, peers = shelf, self._means.peers
        for number, visit in enumerate(wanted):
            square = cut(self.pixels[visit[0]], visit[1], self._side)
            self._kept[visit] = hashlib.sha256(square.tobytes()).hexdigest()
            if number % peers.count == peers.rank:
                self._taken(visit)
            progress(number + 1, len(wanted))
        peers.wait()
        if fits:
            self._known = {visit: self._taken(visit) for visit in wanted}

    def _found(self, visit: Visit) -> Tensor:
        return self._known[visit] if visit in self._known else self._taken(visit)

    def _taken(self, visit: Visit) -> Tensor:
        """From the shelf; encoded, and put there, if it lacks this square or has it spoilt."""
        found = self._shelf.take(self._kept[visit])
        if found is None:
            found = self._encode([visit])[0]
            self._shelf.put(self._kept[visit], found)
        return found.to(self._base.device)

    def _encode(self, visits: Sequence[Visit]) -> Tensor:
        import torch

        squares: NDArray[np.float32] = np.stack(
            [cut(self.pixels[i], crop, self._side) for i, crop in visits]
        )
        with torch.no_grad():
            images = torch.from_numpy(squares).to(self._base.device)
            posterior = self._base.vae.encode(images).latent_dist
        return torch.cat([posterior.mean, posterior.logvar], dim=1)
