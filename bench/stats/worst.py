"""The worst of several attacks on one model, without the bias of looking for it.

The best of A attacks that know nothing is above chance on the pairs it was found on: 2.3 % instead
of 1.2 % TPR@1%FPR for A = 7 and n = 417. So the attack is chosen on one half of the pairs and
measured on the other, both ways, and the choice is made anew in every bootstrap replicate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.stats._check import FloatArray, count, tail
from bench.stats.bootstrap import Counts, half, resample, resampled_auc, resampled_tpr
from bench.stats.estimate import Estimate
from bench.stats.intervals import REPLICATES
from bench.stats.roc import allowed_false_positives, auc, tpr_at_fpr

FPR = 0.01
Bools = NDArray[np.bool_]
Drawn = tuple[tuple[Counts, Counts], ...]
"""By half: how often each member and hold-out of it is drawn, (B, .) each."""


class SeedScores(NamedTuple):
    """All attacks at one training seed: scores of the members (A, m) and the hold-outs (A, n)."""

    members: FloatArray
    holdouts: FloatArray


@dataclass(frozen=True)
class Resamples:
    """Draws of seeds and pairs, shared by every model of a board: what is compared is paired.

    Hierarchical: seeds with replacement, then members and hold-outs of each half of each seed. They
    depend on the numbers of pairs and seeds alone, so a model that is added changes no other's.
    """

    halves: tuple[tuple[Bools, Bools], ...]
    """By seed: which members (m,) and which hold-outs (n,) are in the first half."""
    counts: tuple[Drawn, ...]
    """By seed."""
    seeds: FloatArray
    """Weight of each seed in each replicate, (B, S); rows sum to 1."""

    @classmethod
    def of(
        cls, sizes: Sequence[tuple[int, int]], replicates: int = REPLICATES, rng: int = 0
    ) -> Resamples:
        """For seeds of (m, n) pairs. ValueError where a half would be empty."""
        size, halves, counts = count(replicates, "replicates"), [], []
        for number, pairs in enumerate(sizes):
            if min(pairs) < 2:
                raise ValueError(f"seed {number}: at least 2 members and 2 hold-outs, got {pairs}")
            generator = np.random.default_rng([rng, number, *pairs])
            first = tuple(half(n, generator) for n in pairs)
            halves.append((first[0], first[1]))
            drawn = [
                tuple(resample(int(inside.sum()), size, generator) for inside in (side, ~side))
                for side in first
            ]
            counts.append(((drawn[0][0], drawn[1][0]), (drawn[0][1], drawn[1][1])))
        generator = np.random.default_rng([rng, len(sizes)])
        seeds = generator.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size)
        return cls(tuple(halves), tuple(counts), seeds / len(sizes))


class Picked(NamedTuple):
    """A figure of the worst attack: mean over seeds of what it finds on the half not chosen on."""

    value: float
    draws: FloatArray
    """Replicates, (B,), each with a choice of its own."""
    chosen: tuple[int, int]
    """The attack found worst on the first half, and on the second."""

    def estimate(self, level: float = 0.95) -> Estimate:
        """With the percentile interval of the replicates."""
        alpha = tail(level)
        low, high = (float(x) for x in np.quantile(self.draws, [alpha / 2, 1 - alpha / 2]))
        value = self.value
        return Estimate(value, min(value, low), max(value, high), "hierarchical-bootstrap", level)


class Worst(NamedTuple):
    """The worst attack on a model, by either figure."""

    tpr: Picked
    auc: Picked


def worst_case(scores: Sequence[SeedScores], resamples: Resamples, fpr: float = FPR) -> Worst:
    """The worst of A attacks on one model at S seeds; one choice for all seeds.

    T[a, h] = mean over seeds of TPR@f of attack a on half h; a*(h) = argmax_a T[a, h], the higher
    AUC first where two are even; value = (T[a*(0), 1] + T[a*(1), 0]) / 2. Every replicate does the
    same with its own draws; and so does AUC, with choices of its own. ValueError where the numbers
    of pairs are not those of the resamples.
    """
    matched = _matched(scores, resamples)
    found = np.array([_figures(one, halves, fpr) for one, halves, _ in matched]).mean(axis=0)
    drawn = np.stack([_draws(*one, fpr) for one in matched])  # (S, A, 2, 2, B)
    replicated = np.einsum("bs,sahfb->fbah", resamples.seeds, drawn)
    rates, areas = found[..., 0], found[..., 1]  # (A, 2) each
    # Too small to matter but for ties: shares of pairs are multiples of 1 / (m S).
    nudge = 1e-9 * areas
    return Worst(_picked(rates, replicated[0], nudge), _picked(areas, replicated[1], 0 * nudge))


def _picked(observed: FloatArray, replicated: FloatArray, nudge: FloatArray) -> Picked:
    """Chosen on each half of (A, 2), measured on the other; so in every replicate of (B, A, 2)."""
    first, second = (int(a) for a in np.argmax(observed + nudge, axis=0))
    value = float(observed[first, 1] + observed[second, 0]) / 2
    rows, picks = np.arange(len(replicated)), np.argmax(replicated + nudge, axis=1)
    draws = (replicated[rows, picks[:, 0], 1] + replicated[rows, picks[:, 1], 0]) / 2
    return Picked(value, draws, (first, second))


@cache
def null_band(
    sizes: tuple[tuple[int, int], ...],
    attacks: int = 1,
    fpr: float = FPR,
    level: float = 0.95,
    draws: int = 10_000,
) -> Estimate:
    """What `worst_case` gives for attacks that know nothing: its mean and where `level` of it lies.

    On a half of m members and n hold-outs TPR@f is binomial(m, p) / m with p ~ Beta(k+1, n-k). The
    mean is chance however many attacks there are, but the more there are, the further it strays:
    an attack that was lucky on both halves is measured where it was lucky. Attacks are taken as
    independent, which makes the band too wide rather than too narrow.
    """
    generator = np.random.default_rng(0)
    found = np.zeros((2, draws, attacks))
    for m, n in sizes:
        for half_, (some, others) in enumerate(((m // 2, n // 2), (m - m // 2, n - n // 2))):
            k = allowed_false_positives(others, fpr)
            rate = generator.beta(k + 1, others - k, (draws, attacks))
            found[half_] += generator.binomial(some, rate) / some / len(sizes)
    first, second = found.argmax(axis=2)
    rows, alpha = np.arange(draws), tail(level)
    means = (found[1, rows, first] + found[0, rows, second]) / 2
    low, high = np.quantile(means, [alpha / 2, 1 - alpha / 2])
    return Estimate(float(means.mean()), float(low), float(high), "simulated", level)


def _matched(
    scores: Sequence[SeedScores], resamples: Resamples
) -> list[tuple[SeedScores, tuple[Bools, Bools], Drawn]]:
    """Each seed's scores with its halves and draws."""
    if len(scores) != len(resamples.halves):
        raise ValueError(f"{len(scores)} seeds, but resamples of {len(resamples.halves)}")
    for number, (one, halves) in enumerate(zip(scores, resamples.halves, strict=True)):
        sizes = one.members.shape[1], one.holdouts.shape[1]
        if sizes != (halves[0].size, halves[1].size):
            raise ValueError(f"seed {number}: {sizes} pairs are not those of the resamples")
    return list(zip(scores, resamples.halves, resamples.counts, strict=True))


def _sides(halves: tuple[Bools, Bools]) -> list[tuple[Bools, Bools]]:
    return [halves, (~halves[0], ~halves[1])]


def _figures(
    one: SeedScores, halves: tuple[Bools, Bools], fpr: float
) -> list[list[tuple[float, float]]]:
    """TPR@f and AUC by attack and half."""
    return [
        [(tpr_at_fpr(x[a], y[b], fpr), auc(x[a], y[b])) for a, b in _sides(halves)]
        for x, y in zip(*one, strict=True)
    ]


def _draws(one: SeedScores, halves: tuple[Bools, Bools], counts: Drawn, fpr: float) -> FloatArray:
    """Replicates of TPR@f and AUC by attack and half, (A, 2, 2, B)."""
    return np.array(
        [
            [
                (resampled_tpr(x[a], y[b], *drawn, fpr), resampled_auc(x[a], y[b], *drawn))
                for (a, b), drawn in zip(_sides(halves), counts, strict=True)
            ]
            for x, y in zip(*one, strict=True)
        ]
    )
