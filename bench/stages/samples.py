"""Pictures that a model generates for the first reference captions, or for a shard of these."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.specs import Sampling
from bench.stages.job import Job
from bench.utility.generated import FILE
from bench.utility.sampling import sample


def run(job: Job) -> dict[str, Any]:
    """`samples.npz`: ids and uint8 pictures (n, h, w, 3)."""
    sampling = Sampling(**job.params["sampling"])
    reference = job.part("reference")
    first, end = job.params.get("shard") or (0, None)
    prompts = reference.select(reference.ids[: sampling.n][first:end])
    pictures = sample(
        job.model(), prompts, sampling, lambda done, of: job.progress(done, of, "pictures")
    )
    np.savez_compressed(job.out / FILE, ids=np.array(prompts.ids), pictures=pictures)
    return {"n": len(prompts)}
