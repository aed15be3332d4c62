"""Do captions or pictures alone tell members from hold-outs: the blind gates of a split."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.data.geometry import Squares, square
from bench.stages.job import Job
from bench.trust.blind import blind_gates
from bench.trust.clues import caption_clues, picture_clues, picture_statistics
from bench.utility.features import effnet


def run(job: Job) -> dict[str, Any]:
    """`gates`: verdicts on captions and pictures; `blind.npz`: their cross-fitted scores."""
    pairs = job.part("members", "holdouts")
    members = job.result_of("split")["members"]
    side, features = job.params["resolution"], None
    if job.params["network"]:
        features = effnet(Squares(pairs, side), lambda done, of: job.progress(done, of, "pictures"))
    statistics = [picture_statistics(pair.image, square(pair.image, side)) for pair in pairs]
    clues = {
        "captions": caption_clues(pairs.originals),
        "pictures": picture_clues(statistics, features),
    }
    gates, scores = blind_gates(pairs, members, clues)
    arrays: dict[str, Any] = {**scores, "is_member": np.isin(pairs.ids, members)}
    np.savez(job.out / "blind.npz", ids=np.array(pairs.ids), **arrays)
    return {"gates": [gate._asdict() for gate in gates]}
