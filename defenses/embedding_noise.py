"""Defense `gn`: Gaussian noise on the text states."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from bench.api import Batch, Defense, Training
from bench.errors import UsageError


@dataclass
class EmbeddingNoise(Defense):
    """GN: adds Gaussian noise to the text states at every visit, e <- e + lam N(0, I).

    Somepalli et al. 2023 (arXiv 2305.20086), `rand_noise_lam` of the code github.com/somepago/DCR;
    0.1 is the example of its README. As there the noise is on the text encoder's last hidden state,
    all positions, padding and start token too, and on the empty caption as on any other. Here it is
    drawn for each pair and visit. `noise_share` in the notes is its length against the states'.
    """

    name: ClassVar[str] = "gn"
    level: ClassVar = "batch"
    paper: ClassVar[str] = "Somepalli et al., NeurIPS 2023, arXiv 2305.20086"

    lam: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what is no standard deviation."""
        if not 0.0 <= self.lam < math.inf:
            raise UsageError(f"defense gn: lam={self.lam} must be at least 0 and finite")

    def on_batch(self, batch: Batch, training: Training) -> Batch:
        if not self.lam:
            return batch
        import torch

        shape = tuple(batch.text.shape[1:])
        draws = [
            training.rng("gn", id_, batch.visit).standard_normal(shape, dtype=np.float32)
            for id_ in batch.ids
        ]
        noise = self.lam * torch.from_numpy(np.stack(draws)).to(batch.text)
        notes, visits = training.notes, training.notes.get("visits", 0)
        share = float(noise.norm() / batch.text.norm())
        notes["visits"] = visits + len(draws)
        before = notes.get("noise_share", 0.0)
        notes["noise_share"] = before + (share - before) * len(draws) / notes["visits"]
        return replace(batch, text=batch.text + noise)
