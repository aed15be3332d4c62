"""Defenses that mix visits with others or with noise: `latent_mixup`, `text_mixup` and
`input_perturbation`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from bench.api import Batch, Defense, Training
from bench.errors import UsageError


def partners(ids: tuple[str, ...], rng: np.random.Generator) -> list[int]:
    """Rows of the partners, a random permutation of the pairs wherever in the batch they stand."""
    rows = sorted(range(len(ids)), key=lambda row: ids[row])
    partner = dict(zip(rows, (rows[i] for i in rng.permutation(len(rows))), strict=True))
    return [partner[row] for row in range(len(ids))]


def note(notes: dict[str, Any], pairs: int, share: float) -> None:
    """Keeps the running mean of what a pair has been given of its partner."""
    notes["visits"] = notes.get("visits", 0) + pairs
    before = notes.get("partner_share", 0.0)
    notes["partner_share"] = before + (share - before) * pairs / notes["visits"]


@dataclass
class LatentMixup(Defense):
    """Mixup of latents and text states: z <- lam z_i + (1 - lam) z_j, and e likewise.

    Zhang et al., ICLR 2018 (arXiv 1710.09412), Eq. 1 with lam ~ Beta(a, a), a = 0.2 as there for
    ImageNet; no paper is known that fine-tunes a text-to-image model so. As in the authors' code
    (facebookresearch/mixup-cifar10) lam is drawn once a micro-batch and partners are a permutation
    of it, in which a pair may meet itself. Timestep and noise are those of pair i. There the labels
    are mixed; what a denoiser is told of a picture is its caption, so text states are. A batch of
    one pair is left alone. `partner_share` in the notes is the mean of 1 - lam.
    """

    name: ClassVar[str] = "latent_mixup"
    level: ClassVar = "batch"
    paper: ClassVar[str] = "Zhang et al., ICLR 2018, arXiv 1710.09412"
    excludes: ClassVar = {"text_mixup": "both mix the text states, with partners of their own"}

    a: float = 0.2

    def __post_init__(self) -> None:
        """Refuse what is no parameter of a Beta distribution."""
        if not 0.0 <= self.a < math.inf:
            raise UsageError(f"defense latent_mixup: a={self.a} must be at least 0 and finite")

    def on_batch(self, batch: Batch, training: Training) -> Batch:
        if not self.a or len(batch.ids) < 2:
            return batch
        rng = training.rng(self.name, batch.visit, *sorted(batch.ids))
        lam = float(rng.beta(self.a, self.a))
        other = partners(batch.ids, rng)
        note(training.notes, len(batch.ids), 1 - lam)
        return replace(
            batch,
            clean=lam * batch.clean + (1 - lam) * batch.clean[other],
            text=lam * batch.text + (1 - lam) * batch.text[other],
        )


@dataclass
class TextMixup(Defense):
    """Mixup of the text states alone: e <- lam e_i + (1 - lam) e_j with lam ~ Beta(a, 1).

    An undocumented setting, `mixup_noise_lam`, of the code of Somepalli et al. 2023
    (github.com/somepago/DCR, arXiv 2305.20086), so without a recommended a; at 1 lam is uniform.
    The smaller a, the more of the partner's: lam has the mean a / (a + 1). So a = inf changes
    nothing; a = 0 means off, as there. lam is drawn once a micro-batch and partners are a
    permutation of it, as there. A batch of one pair is left alone. `partner_share` in the notes is
    the mean of 1 - lam.
    """

    name: ClassVar[str] = "text_mixup"
    level: ClassVar = "batch"
    paper: ClassVar[str] = "code of Somepalli et al., NeurIPS 2023, arXiv 2305.20086"

    a: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what is no parameter of a Beta distribution."""
        if not self.a >= 0.0:
            raise UsageError(f"defense text_mixup: a={self.a} must be at least 0")

    def on_batch(self, batch: Batch, training: Training) -> Batch:
        if self.a in (0.0, math.inf) or len(batch.ids) < 2:
            return batch
        rng = training.rng(self.name, batch.visit, *sorted(batch.ids))
        lam = float(rng.beta(self.a, 1.0))
        other = partners(batch.ids, rng)
        note(training.notes, len(batch.ids), 1 - lam)
        return replace(batch, text=lam * batch.text + (1 - lam) * batch.text[other])


@dataclass
class InputPerturbation(Defense):
    """Mixes in more noise than is to be predicted: eps + gamma xi, with eps as the target.

    Ning et al., ICML 2023 (arXiv 2301.11706), Algorithm 1: z_t = sqrt(abar_t) z_0 +
    sqrt(1 - abar_t) (eps + gamma xi), xi ~ N(0, I), gamma = 0.1; the same as `--input_perturbation`
    of the diffusers script. Meant there against exposure bias; here a regulariser.
    """

    name: ClassVar[str] = "input_perturbation"
    level: ClassVar = "batch"
    paper: ClassVar[str] = "Ning et al., ICML 2023, arXiv 2301.11706"

    gamma: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what is no standard deviation."""
        if not 0.0 <= self.gamma < math.inf:
            raise UsageError(
                f"defense input_perturbation: gamma={self.gamma} must be at least 0 and finite"
            )

    def on_batch(self, batch: Batch, training: Training) -> Batch:
        if not self.gamma:
            return batch
        import torch

        shape = tuple(batch.noise.shape[1:])
        draws = [
            training.rng(self.name, id_, batch.visit).standard_normal(shape, dtype=np.float32)
            for id_ in batch.ids
        ]
        more = self.gamma * torch.from_numpy(np.stack(draws)).to(batch.noise)
        mixed = batch.noise if batch.added is None else batch.added
        notes = training.notes
        notes["visits"] = notes.get("visits", 0) + len(draws)
        return replace(batch, added=mixed + more)
