"""CLiD: conditional likelihood discrepancy, the reference attack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from bench.api import Attack, Condition, FloatArray, Pairs, Target

ALPHAS = np.arange(11) / 10
RATES = (0.3, 0.5, 0.7)
"""Shares of the words that importance clipping replaces."""
SCALES = (0.5, 0.7, 0.9)
"""Noise on the text states; the paper gives the figures and not their unit."""
PAD = "<|endoftext|>"
"""What replaces a word: the text of CLIP's padding token, as in the released code."""

Reduction = Literal["clip", "importance", "noise", "null"]


@dataclass
class _Clid(Attack):
    """What both forms share: the queries, and the features L, D_1, ..., D_k."""

    needs: ClassVar[frozenset[str]] = frozenset({"caption", "shadow"})
    paper: ClassVar[str] = "Zhai et al., NeurIPS 2024, arXiv 2405.14800"

    reduction: Reduction = "clip"
    m: int = 3
    n: int = 3
    t: int = 450
    step: int = 10

    def __post_init__(self) -> None:
        if self.m < 0 or self.n < 0 or self.m + self.n == 0:
            raise ValueError(f"m ({self.m}) and n ({self.n}) count draws; one of them must be > 0")
        if self.step < 1:
            raise ValueError(f"step ({self.step}) must be at least 1, so that no draw is repeated")

    @property
    def conditions(self) -> int:
        """k, the empty caption among them."""
        return 1 if self.reduction == "null" else 4

    @property
    def queries(self) -> int:
        return max(self.m, self.n) + self.conditions * self.n

    def features(self, target: Target, pairs: Pairs) -> FloatArray:
        """Columns L, D_1, ..., D_k; of D nothing with n = 0, and L is 0 with m = 0."""
        differences = self._differences(target, pairs) if self.n else []
        times = centred(self.t, self.step, self.m)
        plain = target.losses(pairs, times) if self.m else np.zeros((len(pairs), 1))
        return np.stack([-plain.mean(axis=1), *differences], axis=1)

    def _differences(self, target: Target, pairs: Pairs) -> list[FloatArray]:
        """D_1, ..., D_k, each (n,)."""
        times = centred(self.t, self.step, self.n)
        reduced = self._reduced(target, pairs, times[len(times) // 2])
        full, *others = target.losses_under(pairs, times, [Condition(), *reduced])
        return [(losses - full).mean(axis=1) for losses in others]

    def _reduced(self, target: Target, pairs: Pairs, middle: int) -> list[Condition]:
        """c*_1, ..., c*_k, the last the empty caption."""
        found = []
        if self.reduction == "clip":
            found = [Condition(column) for column in zip(*map(thirds, pairs.captions), strict=True)]
        if self.reduction == "importance":
            # Asked before the losses: the maps come with the first of them.
            words = list(zip(pairs.captions, target.word_importance(pairs, middle), strict=True))
            found = [Condition([without(c, w, rate) for c, w in words]) for rate in RATES]
        if self.reduction == "noise":
            found = [Condition(text_noise=scale) for scale in SCALES]
        return [*found, Condition([""] * len(pairs))]


@dataclass
class ClidTh(_Clid):
    """CLiD_th: loss with the caption against loss with reduced captions, weighted with the loss.

    Zhai et al., "Membership Inference on Text-to-image Diffusion Models via Conditional Likelihood
    Discrepancy", NeurIPS 2024 (arXiv 2405.14800), Eqs. 14-16:

        D_i  = 1/N sum_n [ l(t_n, eps_n, c*_i) - l(t_n, eps_n, c) ]      same t_n, eps_n, latent
        L    = - 1/M sum_m l(t_m, eps_m, c)
        s_th = alpha S(mean_i D_i) + (1 - alpha) S(L)

    S is sklearn's RobustScaler, (a - median) / IQR, and alpha the best of 0, 0.1, ..., 1 by AUC;
    both are found on the shadow's members and hold-outs. M or N = 0 leaves the term out.
    Reductions (appendix D.2): `clip`, thirds by characters; `importance`, the 30, 50 and 70 % of
    the words that draw most cross-attention become padding (needs the maps: white-box there);
    `noise`, Gaussian noise of 0.5, 0.7, 0.9 standard deviations on the text states; `null`, the
    empty caption alone. Grey-box; M + kN queries: 15 with k = 4, 6 with `null`.
    """

    name: ClassVar[str] = "clid_th"

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


@dataclass
class ClidVec(_Clid):
    """CLiD_vec: a classifier on the vector of differences and loss, raw and unscaled.

    Zhai et al., NeurIPS 2024 (arXiv 2405.14800), Eqs. 17-18: V = (D_1, ..., D_k, L), in that order
    (released files begin with the loss), s = P(member | V) by XGBoost (20 trees of depth 3, gamma
    0.7, subsample and colsample_bytree 0.7, reg_alpha and reg_lambda 1: the released code's),
    trained on all rows of the shadow; called a member above 0.5. Same queries and reductions as
    `clid_th`.
    """

    name: ClassVar[str] = "clid_vec"

    trees: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.trees < 1:
            raise ValueError(f"trees must be at least 1, not {self.trees}")

    @property
    def threshold(self) -> float:
        return 0.5

    def fit(self, features: FloatArray, is_member: NDArray[np.bool_]) -> Self:
        from xgboost import XGBClassifier

        self._classifier = XGBClassifier(
            n_estimators=self.trees, max_depth=3, gamma=0.7, subsample=0.7, colsample_bytree=0.7,
            reg_alpha=1, reg_lambda=1, n_jobs=1, random_state=0,
        )  # fmt: skip
        self._classifier.fit(_vector(features), is_member.astype(int))
        return self

    def score(self, features: FloatArray) -> FloatArray:
        member = self._classifier.predict_proba(_vector(features))[:, 1]
        return np.asarray(member, dtype=np.float64)


def centred(t: int, step: int, count: int) -> list[int]:
    """`count` timesteps around t: 440, 450, 460 for (450, 10, 3); an even count leans below."""
    return [t + (i - count // 2) * step for i in range(count)]


def thirds(caption: str) -> list[str]:
    """First, middle and last third of the text by characters ("simply clipping", appendix D.2)."""
    n = len(caption)
    return [caption[: n // 3], caption[n // 3 : 2 * n // 3], caption[2 * n // 3 :]]


def without(caption: str, weights: Sequence[float], rate: float) -> str:
    """The caption with every word as important as its ceil(rate n)-th most important one padded."""
    if not weights:
        return caption
    least = sorted(weights, reverse=True)[int(rate * len(weights) - 0.01)]
    words = zip(caption.split(), weights, strict=True)
    return " ".join(PAD if weight >= least else word for word, weight in words)


def _loss_and_difference(features: FloatArray) -> FloatArray:
    """Columns L and mean D (0 without a D)."""
    differences = features[:, 1:]
    mean = differences.mean(axis=1) if differences.size else np.zeros(len(features))
    return np.stack([features[:, 0], mean], axis=1)


def _vector(features: FloatArray) -> FloatArray:
    """(D_1, ..., D_k, L), the paper's order."""
    return np.concatenate([features[:, 1:], features[:, :1]], axis=1)
