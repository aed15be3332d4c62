"""Fits the 64 directions on which Frechet distances are led: PCA of features of public pictures.

python tools/fit_projection.py --public public.npz --out bench/zoo/projection
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from bench.utility.features import effnet

DIRECTIONS = 64


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--public", type=Path, required=True, help="npz of tools/public_pictures.py"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the projection")
    parser.add_argument(
        "--pictures", type=int, default=2000, help="how many of them, evenly spaced"
    )
    given = parser.parse_args()
    with np.load(given.public, allow_pickle=False) as stored:
        images = stored["images"]
    chosen = images[np.linspace(0, len(images) - 1, given.pictures).astype(int)]
    features = effnet(chosen)
    mean = features.mean(axis=0)
    _, spread, directions = np.linalg.svd(features - mean, full_matrices=False)
    share = (spread[:DIRECTIONS] ** 2).sum() / (spread**2).sum()
    given.out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        given.out / "effnet-lite0-64.npz",
        mean=mean.astype(np.float32),
        components=directions[:DIRECTIONS].astype(np.float32),
    )
    print(f"{len(features)} pictures; the directions hold {100 * share:.1f} % of the variance")


if __name__ == "__main__":
    main()
