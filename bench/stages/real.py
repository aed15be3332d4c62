"""Features of real pictures: the reference set, and the auxiliary set that gives the floor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bench.data.geometry import square
from bench.stages.job import Job
from bench.utility.features import effnet
from bench.utility.inception import inception


def run(job: Job) -> dict[str, Any]:
    """`real.npz`: features (n, 1280) of `reference` and `auxiliary`, in the order of their ids."""
    side, weights = job.params["resolution"], job.hints["inception"]
    arrays: dict[str, Any] = {}
    for part in ("reference", "auxiliary"):
        pictures = np.stack([square(pair.image, side) for pair in job.part(part)])
        arrays[part] = effnet(pictures, lambda done, of: job.progress(done, of, "pictures"))
        if weights:
            arrays[f"{part}_inception"] = inception(pictures, Path(weights))
    np.savez(job.out / "real.npz", **arrays)
    return {part: len(features) for part, features in arrays.items()}
