"""Pictures that a model generated, as they lie in the store: read a shard at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
FILE = "samples.npz"


class Pictures(Protocol):
    """Pictures of one size, of which a slice is had at a time: uint8 (n, h, w, 3)."""

    def __len__(self) -> int: ...

    def __getitem__(self, where: slice, /) -> Pixels: ...


class Generated:
    """The samples of one model in the order of their prompts; one file's are held at a time.

    Ten thousand pictures of 512 pixels would take 8 GB.
    """

    def __init__(self, folders: Sequence[Path], n: int | None = None) -> None:
        """Of stages that made them, in order; of these the first n."""
        self._files = [folder / FILE for folder in folders]
        found = [_ids(file) for file in self._files]
        self._ends = np.cumsum([len(ids) for ids in found])
        self.ids: list[str] = [id_ for ids in found for id_ in ids][:n]
        self._held: tuple[int, Pixels] | None = None

    def first(self, n: int) -> Generated:
        """The first n of them."""
        return Generated([file.parent for file in self._files], n)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, where: slice) -> Pixels:
        start, stop, step = where.indices(len(self))
        parts: list[Pixels] = []
        for number, end in enumerate(self._ends):
            begin = self._ends[number - 1] if number else 0
            low, high = max(start, begin), min(stop, end)
            if low < high:
                parts.append(self._of(number)[low - begin : high - begin])
        joined = np.concatenate(parts) if len(parts) != 1 else parts[0]
        return joined[::step]

    def _of(self, number: int) -> Pixels:
        if self._held is None or self._held[0] != number:
            self._held = None  # let go of the last before the next is read
            with np.load(self._files[number], allow_pickle=False) as stored:
                self._held = number, stored["pictures"]
        return self._held[1]


def _ids(file: Path) -> list[str]:
    with np.load(file, allow_pickle=False) as stored:
        ids: list[str] = stored["ids"].tolist()
        return ids
