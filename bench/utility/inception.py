"""Inception-2015 features, the only ones on which a Frechet distance may be called FID.

The weights are torch-fidelity's `weights-inception-2015-12-05-6726825d.pth`, given by path: they
are never fetched here. Needs the extra `t2i-defense-bench[inception]`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.errors import OfflineError, UsageError
from bench.store import file_digest

BATCH = 32
DIGEST_PREFIX = "6726825d"
"""Start of the sha256 of the published weights; part of their file name."""


def weights_digest(path: Path) -> str:
    """sha256 of the weights, checked against the published one before anything reads them."""
    if not path.is_file():
        raise OfflineError(f"no Inception weights at {path}; leave --inception out to do without")
    digest = file_digest(path)
    if not digest.startswith(DIGEST_PREFIX):
        raise UsageError(
            f"{path} is not the published Inception-2015 file: its sha256 begins with "
            f"{digest[:8]}, not {DIGEST_PREFIX}"
        )
    return digest


def inception(pictures: NDArray[np.uint8], weights: Path) -> NDArray[np.float64]:
    """Pooled features of uint8 pictures (n, h, w, 3), shape (n, 2048); TF1 resizing as in FID."""
    import torch

    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise UsageError(
            f"--inception needs the extra: pip install 't2i-defense-bench[inception]' ({error})"
        ) from None
    network = FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(weights)
    ).eval()
    found = []
    for start in range(0, len(pictures), BATCH):
        batch = torch.from_numpy(pictures[start : start + BATCH]).permute(0, 3, 1, 2).contiguous()
        with torch.inference_mode():
            found.append(network(batch)[0].double().numpy())
    return np.concatenate(found)
