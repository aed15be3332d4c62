"""What the model is still good for: its samples beside real ones and captions, and its loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bench.data.geometry import Squares
from bench.data.pairs import Pairs
from bench.errors import ValidationError
from bench.models.base import Base
from bench.models.target import ModelTarget
from bench.specs import SAMPLES_ROLE
from bench.stages.job import Job
from bench.stats.estimate import Estimate
from bench.utility.alignment import clip_gains, clip_identity, clip_scores, load_clip
from bench.utility.distances import frechet_distance, kernel_distance, project
from bench.utility.features import effnet
from bench.utility.generated import Generated, Pictures
from bench.utility.inception import DIMENSIONS, RESIZINGS, inception
from bench.utility.manifold import overlap

LOSS_TIMESTEPS = tuple(range(50, 1000, 100))


def run(job: Job) -> dict[str, Any]:
    """Distances and overlap with n and the real-against-real figure, alignment, held-out loss."""
    pictures = _samples(job)
    with np.load(job.inputs["real"] / "real.npz", allow_pickle=False) as stored:
        real = dict(stored)
    reference, auxiliary = real["reference"], real["auxiliary"]
    # Equal n everywhere: a Frechet distance of fewer pictures is larger for that alone.
    n = min(len(pictures), len(reference), len(auxiliary))
    pictures, reference, auxiliary = pictures.first(n), reference[:n], auxiliary[:n]
    fake = effnet(pictures, lambda done, of: job.progress(done, of, "pictures"))
    model, pairs = job.model(), job.part("reference")
    losses = _held_out_losses(job, model, pairs)
    scores, alignment = _alignment(job, model, pairs.select(pictures.ids), pictures)
    np.savez(job.out / "utility.npz", features=fake, held_out=losses, clip_scores=scores)
    return {
        "n": n,
        "fid": _fid(job, pictures, real),
        "kid_effnet": kernel_distance(reference, fake)._asdict(),
        "kid_effnet_floor": kernel_distance(reference, auxiliary)._asdict(),
        "fd_effnet": frechet_distance(reference, fake),
        "fd_effnet_floor": frechet_distance(reference, auxiliary),
        "fd_effnet64": frechet_distance(project(reference), project(fake)),
        "fd_effnet64_floor": frechet_distance(project(reference), project(auxiliary)),
        **_overlap(reference, fake, auxiliary),
        **alignment,
        "held_out_loss": _mean(losses, "pairs")._asdict(),
    }


def _samples(job: Job) -> Generated:
    """All that was generated, in the order of its prompts."""
    number = len([role for role in job.inputs if role.startswith(f"{SAMPLES_ROLE}_")])
    roles = [f"{SAMPLES_ROLE}_{k}" for k in range(number)] or [SAMPLES_ROLE]
    return Generated([job.inputs[role] for role in roles])


def _overlap(reference: Any, fake: Any, auxiliary: Any) -> dict[str, float | None]:
    """Precision and recall, and what other real pictures reach at this n."""
    found, most = overlap(reference, fake), overlap(reference, auxiliary)
    return {
        "precision": found and found.precision,
        "recall": found and found.recall,
        "precision_real": most and most.precision,
        "recall_real": most and most.recall,
    }


def _alignment(
    job: Job, model: Base, prompts: Pairs, pictures: Pictures
) -> tuple[Any, dict[str, Any]]:
    """CLIPScore of samples and of real pictures, and how far it is above other captions' scores.

    The same prompts and start noise for all defenses: the scores of two models are paired.
    """
    names = ("clip", "clip_score", "clip_gain", "clip_score_real", "clip_gain_real")
    if not job.hints["clip"]:
        return np.empty(0), dict.fromkeys(names)
    folder = Path(job.hints["clip"])
    if clip_identity(folder) != job.params["clip"]:
        raise ValidationError(f"CLIP {folder} changed while the run was going on; run again")
    clip = load_clip(folder)
    # The prompts that the samples were made of, whatever a defense did to captions in training.
    words = clip.captions(prompts.originals)
    made = clip.pictures(pictures, lambda done, of: job.progress(done, 2 * of, "pictures"))
    real = clip.pictures(
        Squares(prompts, model.resolution),
        lambda done, of: job.progress(of + done, 2 * of, "pictures"),
    )
    scores = clip_scores(made, words)
    judge = {"digest": job.params["clip"], "own_text_tower": clip.listens_as(model.text_encoder)}
    told = (scores, clip_gains(made, words), clip_scores(real, words), clip_gains(real, words))
    estimates = [_mean(values, "pictures")._asdict() for values in told]
    return scores, dict(zip(names, [judge, *estimates], strict=True))


def _fid(job: Job, pictures: Pictures, real: dict[str, Any]) -> dict[str, Any] | None:
    """FID and KID proper with their floors, by way of resizing, where the weights were given.

    With no more pictures than dimensions the covariances lack rank and FID is mostly bias: told.
    """
    if not job.hints["inception"]:
        return None
    n, weights = len(pictures), Path(job.hints["inception"])
    found: dict[str, Any] = {"rank_deficient": n <= DIMENSIONS}
    for resizing in RESIZINGS:
        reference, auxiliary = (real[f"{p}_{resizing}"][:n] for p in ("reference", "auxiliary"))
        fake = inception(
            pictures, weights, resizing, lambda done, of: job.progress(done, of, "pictures")
        )
        found[resizing] = {
            "fid": frechet_distance(reference, fake),
            "fid_floor": frechet_distance(reference, auxiliary),
            "kid": kernel_distance(reference, fake)._asdict(),
            "kid_floor": kernel_distance(reference, auxiliary)._asdict(),
        }
    return found


def _held_out_losses(job: Job, model: Base, pairs: Pairs) -> Any:
    """Denoising loss of every reference pair, averaged over ten timesteps, shape (n,)."""
    # Seed 0 for every run: the same noise makes the losses of two models a paired comparison.
    target = ModelTarget(
        model,
        seed=0,
        progress=lambda rows: job.progress(rows, len(pairs) * len(LOSS_TIMESTEPS), "queries"),
    )
    return target.losses(pairs, LOSS_TIMESTEPS).mean(axis=1)


def _mean(values: Any, over: str) -> Estimate:
    mean, half = float(values.mean()), 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5
    return Estimate(mean, mean - half, mean + half, f"normal, over {over}")
