"""Do captions or pictures alone tell members from hold-outs: the blind gates of a split."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.data.geometry import square
from bench.data.splits import clusters
from bench.rng import generator
from bench.stages.job import Job
from bench.trust.blind import blind_gate
from bench.trust.clues import caption_clues, picture_clues, picture_statistics
from bench.utility.features import effnet


def run(job: Job) -> dict[str, Any]:
    """`gates`: verdicts on captions and pictures; `blind.npz`: their cross-fitted scores."""
    pairs = job.part("members", "holdouts")
    members = set(job.result_of("split")["members"])
    is_member = np.array([id_ in members for id_ in pairs.ids])
    row = {id_: i for i, id_ in enumerate(pairs.ids)}
    groups = [[row[id_] for id_ in cluster] for cluster in clusters(pairs)]
    squares = np.stack([square(pair.image, job.params["resolution"]) for pair in pairs])
    features = None
    if job.params["network"]:
        features = effnet(squares, lambda done, of: job.progress(done, of, "pictures"))
    statistics = [
        picture_statistics(pair.image, middle) for pair, middle in zip(pairs, squares, strict=True)
    ]
    clues = {
        "captions": caption_clues(pairs.originals),
        "pictures": picture_clues(statistics, features),
    }
    gates, arrays = [], {}
    for name, told in clues.items():
        draws = generator("blind", name, *pairs.ids)
        gate, arrays[name] = blind_gate(f"blind {name}", told, is_member, groups, draws)
        gates.append(gate._asdict())
    np.savez(job.out / "blind.npz", ids=np.array(pairs.ids), is_member=is_member, **arrays)
    return {"gates": gates}
