"""What the model is still good for: distances of its samples, and its loss on unseen pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bench.models.target import ModelTarget
from bench.stages.job import Job
from bench.stats.estimate import Estimate
from bench.utility.distances import frechet_distance, kernel_distance, project
from bench.utility.features import effnet
from bench.utility.inception import inception

LOSS_TIMESTEPS = tuple(range(50, 1000, 100))


def run(job: Job) -> dict[str, Any]:
    """Distances with n and the real-against-real floor, and the held-out denoising loss."""
    with np.load(job.inputs["samples"] / "samples.npz", allow_pickle=False) as stored:
        pictures = stored["pictures"]
    with np.load(job.inputs["real"] / "real.npz", allow_pickle=False) as stored:
        real = dict(stored)
    reference, auxiliary = real["reference"], real["auxiliary"]
    fake = effnet(pictures, lambda done, of: job.progress(done, of, "pictures"))
    # Equal n everywhere: a Frechet distance of fewer pictures is larger for that alone.
    n = min(len(fake), len(reference), len(auxiliary))
    fake, reference, auxiliary = fake[:n], reference[:n], auxiliary[:n]
    losses = _held_out_losses(job)
    np.savez(job.out / "utility.npz", features=fake, held_out=losses)
    return {
        "n": n,
        "fid": _fid(job, pictures[:n], real),
        "kid_effnet": kernel_distance(reference, fake)._asdict(),
        "kid_effnet_floor": kernel_distance(reference, auxiliary)._asdict(),
        "fd_effnet": frechet_distance(reference, fake),
        "fd_effnet_floor": frechet_distance(reference, auxiliary),
        "fd_effnet64": frechet_distance(project(reference), project(fake)),
        "fd_effnet64_floor": frechet_distance(project(reference), project(auxiliary)),
        "held_out_loss": _mean(losses)._asdict(),
    }


def _fid(job: Job, pictures: Any, real: dict[str, Any]) -> dict[str, float] | None:
    """FID proper and its floor, where the Inception weights were given."""
    if not job.hints["inception"]:
        return None
    reference, auxiliary = (
        real[f"{p}_inception"][: len(pictures)] for p in ("reference", "auxiliary")
    )
    fake = inception(pictures, Path(job.hints["inception"]))
    return {
        "value": frechet_distance(reference, fake),
        "floor": frechet_distance(reference, auxiliary),
    }


def _held_out_losses(job: Job) -> Any:
    """Denoising loss of every reference pair, averaged over ten timesteps, shape (n,)."""
    pairs = job.part("reference")
    # Seed 0 for every run: the same noise makes the losses of two models a paired comparison.
    target = ModelTarget(
        job.model(),
        seed=0,
        progress=lambda rows: job.progress(rows, len(pairs) * len(LOSS_TIMESTEPS), "queries"),
    )
    return target.losses(pairs, LOSS_TIMESTEPS).mean(axis=1)


def _mean(values: Any) -> Estimate:
    mean, half = float(values.mean()), 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5
    return Estimate(mean, mean - half, mean + half, "normal, over pairs")
