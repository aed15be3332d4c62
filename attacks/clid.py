"""CLiD: conditional likelihood discrepancy, the reference attack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from bench.api import Attack, FloatArray, Pairs, Target

ALPHAS = np.arange(11) / 10


def thirds(caption: str) -> list[str]:
    """First, middle and last third of the text by characters ("simply clipping", appendix D.2)."""
    n = len(caption)
    return [caption[: n // 3], caption[n // 3 : 2 * n // 3], caption[2 * n // 3 :]]


def reduced(captions: tuple[str, ...], reduction: str) -> list[list[str]]:
    """The k reduced conditions c*_1 ... c*_k of every caption; the last is the empty one."""
    null = [""] * len(captions)
    if reduction == "null":
        return [null]
    return [*(list(column) for column in zip(*map(thirds, captions), strict=True)), null]


@dataclass
class ClidTh(Attack):
    """CLiD_th: loss with the caption against loss with reduced captions, weighted with the loss.

    Zhai et al., "Membership Inference on Text-to-image Diffusion Models via Conditional Likelihood
    Discrepancy", NeurIPS 2024 (arXiv 2405.14800), Eqs. 14-16:

        D_i  = 1/N sum_n [ l(t_n, eps_n, c*_i) - l(t_n, eps_n, c) ]      same t_n, eps_n, latent
        L    = - 1/M sum_m l(t_m, eps_m, c)
        s_th = alpha S(mean_i D_i) + (1 - alpha) S(L)

    S is sklearn's RobustScaler, (a - median) / IQR, and alpha the best of 0, 0.1, ..., 1 by AUC;
    both are found on the shadow's members and hold-outs. M = N. Grey-box; M + kN queries: 15 with
    `clip` (k = 4: three thirds and the empty caption), 6 with `null` (k = 1).
    """

    name: ClassVar[str] = "clid_th"
    needs: ClassVar[frozenset[str]] = frozenset({"caption", "shadow"})
    paper: ClassVar[str] = "Zhai et al., NeurIPS 2024, arXiv 2405.14800"

    reduction: Literal["clip", "null"] = "clip"
    timesteps: tuple[int, ...] = (440, 450, 460)

    @property
    def queries(self) -> int:
        conditions = {"clip": 4, "null": 1}[self.reduction]
        return len(self.timesteps) * (1 + conditions)

    def features(self, target: Target, pairs: Pairs) -> FloatArray:
        """Columns L, D_1, ..., D_k."""
        full = target.losses(pairs, self.timesteps)
        differences = [
            (target.losses(pairs, self.timesteps, captions) - full).mean(axis=1)
            for captions in reduced(pairs.captions, self.reduction)
        ]
        return np.stack([-full.mean(axis=1), *differences], axis=1)

    def fit(self, features: FloatArray, is_member: NDArray[np.bool_]) -> Self:
        two = _loss_and_difference(features)
        low, self._centre, high = np.percentile(two, [25, 50, 75], axis=0)
        # A column without spread (a model that ignores text) is left unscaled, as sklearn does.
        self._spread = np.where(high > low, high - low, 1.0)
        found = [self._auc_of(alpha, features, is_member) for alpha in ALPHAS]
        self.alpha = float(ALPHAS[int(np.argmax(found))])
        return self

    def score(self, features: FloatArray) -> FloatArray:
        return self._weighted(self.alpha, features)

    def _weighted(self, alpha: float, features: FloatArray) -> FloatArray:
        scaled = (_loss_and_difference(features) - self._centre) / self._spread
        return np.asarray((1 - alpha) * scaled[:, 0] + alpha * scaled[:, 1])

    def _auc_of(self, alpha: float, features: FloatArray, is_member: NDArray[np.bool_]) -> float:
        from bench.stats.roc import auc

        scores = self._weighted(alpha, features)
        return auc(scores[is_member], scores[~is_member])


def _loss_and_difference(features: FloatArray) -> FloatArray:
    """Columns L and mean D."""
    return np.stack([features[:, 0], features[:, 1:].mean(axis=1)], axis=1)
