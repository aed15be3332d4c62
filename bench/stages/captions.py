"""A captioner's words for every picture that attacks may ask about (view `pseudo`)."""

from __future__ import annotations

from typing import Any

from bench.errors import ValidationError
from bench.models.captioner import captioner_identity, describe
from bench.stages.job import Job

PARTS = ("members", "holdouts", "shadow_members", "shadow_holdouts")


def run(job: Job) -> dict[str, Any]:
    """Captions by pair id; where they are retrieved, they come from the auxiliary pairs alone."""
    captioner = job.hints["captioner"]
    if captioner_identity(captioner) != job.params["captioner"]:
        raise ValidationError(f"captioner {captioner} changed while the run was going on")
    pairs = job.part(*PARTS)
    words = describe(
        [pairs.image(id_) for id_ in pairs.ids],
        captioner,
        job.part("auxiliary"),
        lambda done, of: job.progress(done, of, "pictures"),
    )
    return {"captions": dict(zip(pairs.ids, words, strict=True))}
