"""Features of real pictures: the reference set, and the auxiliary set that gives the floor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bench.data.geometry import Squares
from bench.stages.job import Job
from bench.utility.features import effnet
from bench.utility.inception import RESIZINGS, inception


def run(job: Job) -> dict[str, Any]:
    """`real.npz`: features (n, 1280) of `reference` and `auxiliary`, in the order of their ids.

    Inception's (n, 2048) beside them where its weights were given, one set a way of resizing.
    """
    side, weights = job.params["resolution"], job.hints["inception"]
    arrays: dict[str, Any] = {}
    for part in ("reference", "auxiliary"):
        pictures = Squares(job.part(part), side)
        arrays[part] = effnet(pictures, lambda done, of: job.progress(done, of, "pictures"))
        for resizing in RESIZINGS if weights else ():
            arrays[f"{part}_{resizing}"] = inception(pictures, Path(weights), resizing)
    np.savez(job.out / "real.npz", **arrays)
    return {part: len(features) for part, features in arrays.items()}
