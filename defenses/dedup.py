"""Defense `dedup`: near-duplicate members are trained on once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench.api import Context, Defense, Pairs
from bench.data.duplicates import components, near_duplicates, thumbnails
from bench.errors import UsageError

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE, LOW = 32, 8
BLOCK = 512


def perceptual_hash(image: Image) -> NDArray[np.bool_]:
    """64 bits: which of the 8 x 8 lowest frequencies of a 32 x 32 grey picture exceed their median.

    The `phash` of the package imagehash, from the discrete cosine transform.
    """
    from PIL.Image import Resampling
    from scipy.fft import dctn

    grey = image.convert("L").resize((SIDE, SIDE), Resampling.LANCZOS)
    low = dctn(np.asarray(grey, dtype=np.float64))[:LOW, :LOW]
    bits: NDArray[np.bool_] = (low > np.median(low)).ravel()
    return bits


def alike(pairs: Pairs, distance: int) -> list[tuple[int, int]]:
    """Positions of pairs whose hashes differ in at most `distance` bits."""
    signs = np.where([perceptual_hash(pair.image) for pair in pairs], 1, -1).astype(np.float32)
    found: list[tuple[int, int]] = []
    for start in range(0, len(signs), BLOCK):
        differ = (LOW**2 - signs[start : start + BLOCK] @ signs[start:].T) / 2
        near, far = np.nonzero(np.triu(differ <= distance, 1))
        found += zip((near + start).tolist(), (far + start).tolist(), strict=True)
    return found


@dataclass
class Dedup(Defense):
    """Drops near-duplicate pictures before training: of each group only `keep` are trained on.

    After Carlini et al. 2023 (arXiv 2301.13188), who found that repeated pictures are those that
    models remember. Two pictures are near-duplicates if their perceptual hashes differ in at most
    `phash` of 64 bits, or if their 32 x 32 thumbnails lie less than `rmse` apart, pixels in [0, 1];
    0 switches a measure off, and with both off nothing is dropped. `preset=pixels` is the measure
    and the limit by which splits keep near-duplicates together. What hangs together is one group;
    which of it is kept is drawn. The hash sees no colour: of `scenes`, which differ in little else,
    it drops a quarter.

    A dropped pair remains a member: it is attacked as one that was never trained on. Epochs stay as
    they are, so a training has fewer steps. The notes have how many were dropped.
    """

    name: ClassVar[str] = "dedup"
    paper: ClassVar[str] = "after Carlini et al., USENIX Security 2023, arXiv 2301.13188"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"pixels": {"phash": 0, "rmse": 0.02}}

    phash: int = 4
    rmse: float = 0.0
    keep: int = 1

    def __post_init__(self) -> None:
        """Refuse what is no distance."""
        if not 0 <= self.phash < LOW**2:
            raise UsageError(f"defense dedup: phash={self.phash} must lie between 0 and 63")
        if not 0.0 <= self.rmse < math.inf:
            raise UsageError(f"defense dedup: rmse={self.rmse} must be at least 0 and finite")
        if self.keep < 1:
            raise UsageError(f"defense dedup: keep={self.keep} must be at least 1")

    def prepare(self, pairs: Pairs, context: Context) -> Pairs:
        links = alike(pairs, self.phash) if self.phash and len(pairs) else []
        if self.rmse and len(pairs):
            links += near_duplicates(thumbnails(pairs), self.rmse)
        groups = [[pairs.ids[i] for i in group] for group in components(len(pairs), links)]
        kept: set[str] = set()
        for group in groups:
            first = sorted(group, key=lambda id_: (context.rng("dedup", id_).random(), id_))
            kept.update(first[: self.keep])
        context.notes.update(
            pairs=len(pairs),
            dropped=len(pairs) - len(kept),
            groups_with_duplicates=sum(len(group) > 1 for group in groups),
            largest_group=max(map(len, groups), default=0),
        )
        return pairs.select([id_ for id_ in pairs.ids if id_ in kept])

    def replay(self, pairs: Pairs, context: Context, number: int) -> Pairs:
        """Captions stay as they are."""
        return pairs
