"""The pictures of a training at the model's resolution, held in memory as long as they fit."""

from __future__ import annotations

import numpy as np

from bench.data.geometry import Pixels, resize
from bench.data.pairs import Pairs

LIMIT_BYTES = 512 * 2**20


class Pictures:
    """Resized pictures by the index of their pair; those beyond the limit are opened each time."""

    def __init__(self, pairs: Pairs, side: int, margin: int) -> None:
        self._pairs, self._side, self._margin = pairs, side, margin
        self._held: list[Pixels | None] = []
        self._shapes: list[tuple[int, ...]] = []
        left = LIMIT_BYTES
        for index in range(len(pairs)):
            pixels = self._opened(index)
            left -= pixels.nbytes
            self._held.append(pixels if left >= 0 else None)
            self._shapes.append(pixels.shape)

    def __len__(self) -> int:
        return len(self._shapes)

    def __getitem__(self, index: int) -> Pixels:
        """uint8 of shape (h, w, 3)."""
        held = self._held[index]
        return self._opened(index) if held is None else held

    def outline(self, index: int) -> Pixels:
        """An array of the picture's shape without its content, to draw a crop from."""
        held = self._held[index]
        return np.broadcast_to(np.uint8(0), self._shapes[index]) if held is None else held

    def _opened(self, index: int) -> Pixels:
        return resize(self._pairs.image(self._pairs.ids[index]), self._side, self._margin)
