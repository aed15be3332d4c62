"""Distances between sets of picture features, each with what an honest reader needs beside it.

Kernels and Frechet distance are torchmetrics'; features are computed once and shared.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.stats.estimate import Estimate

FloatArray = NDArray[np.float64]
PROJECTION = Path(__file__).resolve().parent.parent / "zoo" / "projection" / "effnet-lite0-64.npz"
BOOTSTRAP = 1000


def kernel_distance(real: FloatArray, fake: FloatArray, seed: int = 0) -> Estimate:
    """Unbiased squared MMD with the cubic kernel (KID, Binkowski et al. 2018), n and d free.

    The interval is the percentile bootstrap over pictures of both sets; a resampled set meets
    each original pair of distinct pictures with the product of their counts, so that a picture
    drawn twice is never compared with itself and the estimate stays unbiased.
    """
    import torch
    from torchmetrics.image.kid import poly_kernel

    a, b = torch.from_numpy(real), torch.from_numpy(fake)
    kernels = [poly_kernel(x, y).numpy() for x, y in ((a, a), (b, b), (a, b))]
    rng = np.random.default_rng(seed)
    once = [np.ones((1, len(real))), np.ones((1, len(fake)))]
    drawn = [
        rng.multinomial(n, np.full(n, 1 / n), BOOTSTRAP).astype(float)
        for n in map(len, (real, fake))
    ]
    value = float(weighted_mmd(kernels, *once)[0])
    # A resample of one picture only (of very small sets) has no pair to compare: left out.
    usable = np.all([np.count_nonzero(w, axis=1) > 1 for w in drawn], axis=0)
    low, high = np.percentile(weighted_mmd(kernels, *(w[usable] for w in drawn)), [2.5, 97.5])
    return Estimate(
        value, min(float(low), value), max(float(high), value), "bootstrap over pictures"
    )


def weighted_mmd(kernels: list[FloatArray], real: FloatArray, fake: FloatArray) -> FloatArray:
    """Squared MMD for each row of picture weights, self-pairs left out."""

    def within(kernel: FloatArray, w: FloatArray) -> FloatArray:
        own = (w**2) @ np.diag(kernel)
        total = np.einsum("bi,bi->b", w @ kernel, w) - own
        return np.asarray(total / (w.sum(1) ** 2 - (w**2).sum(1)))

    across = np.einsum("bi,bi->b", real @ kernels[2], fake) / (real.sum(1) * fake.sum(1))
    return np.asarray(within(kernels[0], real) + within(kernels[1], fake) - 2 * across)


def frechet_distance(real: FloatArray, fake: FloatArray) -> float:
    """Frechet distance of two Gaussians fitted to the features, float64.

    Biased upwards by about the dimension over n: compare at equal n only, beside the floor.
    """
    import torch
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Features(torch.nn.Module):
        """Hands the features through."""

        num_features = real.shape[1]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    metric = FrechetInceptionDistance(feature=Features()).set_dtype(torch.float64)
    metric.update(torch.from_numpy(real), real=True)
    metric.update(torch.from_numpy(fake), real=False)
    return max(0.0, float(metric.compute()))


@cache
def _projection() -> tuple[FloatArray, FloatArray]:
    with np.load(PROJECTION, allow_pickle=False) as stored:
        return stored["mean"].astype(np.float64), stored["components"].astype(np.float64)


def project(features: FloatArray) -> FloatArray:
    """The 64 fixed directions fitted on public pictures, shape (n, 64)."""
    mean, components = _projection()
    return np.asarray((features - mean) @ components.T)
