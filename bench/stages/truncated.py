"""Pictures for truncated captions beside the real ones: Figure 1 of Zhai et al. 2024."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.data.geometry import Squares
from bench.specs import Sampling
from bench.stages.job import Job
from bench.utility.distances import frechet_distance, kernel_distance, project
from bench.utility.features import effnet
from bench.utility.inception import RESIZINGS, inception
from bench.utility.sampling import sample


def run(job: Job) -> dict[str, Any]:
    """How far what a model draws for a part's captions, cut to a share, is from its pictures.

    One picture a pair, from start noise that is the pair's own: so the shares are compared on the
    same noise. KID with interval and FD64 on EfficientNet-Lite0, FID where weights were given.
    """
    pairs, model = job.part(job.params["part"]), job.model()
    words = truncated(pairs.originals, job.params["share"])
    sampling = Sampling(n=max(2, len(pairs)), **job.params["sampling"])
    made = sample(
        model,
        replace(pairs, captions=words, originals=words),
        sampling,
        lambda done, of: job.progress(done, of, "pictures"),
    )
    real = Squares(pairs, model.resolution)
    ours, theirs = effnet(made), effnet(real)
    found: dict[str, Any] = {
        "n": len(pairs),
        "kid": kernel_distance(theirs, ours)._asdict(),
        "fd64": frechet_distance(project(theirs), project(ours)),
        "fid": None,
    }
    if job.hints["inception"]:
        weights = Path(job.hints["inception"])
        found["fid"] = {
            way: frechet_distance(inception(real, weights, way), inception(made, weights, way))
            for way in RESIZINGS
        }
    return found


def truncated(captions: Sequence[str], share: float) -> tuple[str, ...]:
    """The first words of each caption, rounded up; none at a share of 0."""
    return tuple(
        " ".join(words[: math.ceil(share * len(words) - 1e-9)])
        for words in map(str.split, captions)
    )
