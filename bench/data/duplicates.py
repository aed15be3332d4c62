"""Near-duplicate pictures: which they are, and what hangs together through them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from bench.data.pairs import Pairs


def components(n: int, links: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The numbers below n in groups that hang together by these links, in order."""
    parent = list(range(n))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    for i, j in links:
        low, high = sorted((root(i), root(j)))
        parent[high] = low
    found: dict[int, list[int]] = {}
    for i in range(n):
        found.setdefault(root(i), []).append(i)
    return list(found.values())


def thumbnails(pairs: Pairs) -> NDArray[np.uint8]:
    """Every picture averaged down to 32 x 32, shape (n, 32, 32, 3)."""
    from PIL import Image

    small = np.empty((len(pairs), 32, 32, 3), dtype=np.uint8)
    for i, id_ in enumerate(pairs.ids):
        small[i] = np.asarray(pairs.image(id_).resize((32, 32), Image.Resampling.BOX))
    return small


def near_duplicates(small: NDArray[np.uint8], rmse: float = 0.02) -> list[tuple[int, int]]:
    """Pairs of rows less than `rmse` apart (pixels in [0, 1]); equal rows appear as one chain.

    Exact: the distance of 4 x 4 block means never exceeds that of the pixels, so that only rows
    whose block means are close are compared in full.
    """
    flat = small.reshape(len(small), -1)
    kept, first, inverse = np.unique(flat, axis=0, return_index=True, return_inverse=True)
    found = [(int(first[j]), i) for i, j in enumerate(inverse.ravel()) if first[j] != i]
    means = kept.reshape(-1, 8, 4, 8, 4, 3).mean(axis=(2, 4)).reshape(len(kept), -1) / 255
    means -= means.mean(axis=0)
    norms = (means**2).sum(axis=1)
    limit = rmse**2 * means.shape[1] + 1e-9
    for start in range(0, len(kept), 512):
        rows = slice(start, start + 512)
        squared = norms[rows, None] + norms[start:] - 2 * means[rows] @ means[start:].T
        near, far = np.nonzero(np.triu(squared < limit, 1))
        for part in np.array_split(np.arange(len(near)), len(near) // 4096 + 1):
            a, b = near[part] + start, far[part] + start
            gap = (kept[a].astype(np.float32) - kept[b].astype(np.float32)) / 255
            close = np.sqrt((gap**2).mean(axis=1)) < rmse
            found += zip(first[a[close]].tolist(), first[b[close]].tolist(), strict=True)
    return found
