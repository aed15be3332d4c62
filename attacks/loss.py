"""The naive loss attack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bench.api import Attack, FloatArray, Pairs, Target


@dataclass
class Loss(Attack):
    """Denoising loss at one timestep; members are denoised better.

    Matsumoto, Miura, Yanai, "Membership Inference Attacks against Diffusion Models", IEEE S&P
    Workshops 2023 (arXiv 2302.03262): s = -l(t, eps, c) with one draw of noise. Grey-box, one
    query, no auxiliary data but for the threshold. `t` is 450 in Zhai et al.'s run, 350 in
    Matsumoto's code, 500 in Kong et al.'s.
    """

    name: ClassVar[str] = "loss"
    paper: ClassVar[str] = "Matsumoto et al., 2023, arXiv 2302.03262"

    presets: ClassVar = {"matsumoto": {"t": 350}, "pia": {"t": 500}}

    t: int = 450

    @property
    def queries(self) -> int:
        return 1

    def features(self, target: Target, pairs: Pairs) -> FloatArray:
        return -target.losses(pairs, [self.t])
