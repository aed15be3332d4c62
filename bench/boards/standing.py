"""Where an attacked model stands: its worst attack, its utility, its canaries, what it failed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from bench.boards.rows import Figure, Row, collect
from bench.entries.entry import Entry
from bench.entries.schema import Plugin
from bench.stats.audit import Halves, epsilon_lower_bound
from bench.stats.estimate import Estimate
from bench.stats.roc import tpr_quality
from bench.stats.worst import FPR, Resamples, SeedScores, Worst, null_band, worst_case

UNDEFENDED = frozenset({"none", "learning_rate"})
SEEDS_OF_A_BOARD = 3
SHARED_COST = 0.5
"""Correlation of KID's errors between two models. Prompts, start noise and reference pictures are
the same for all; tools/correlate_kid.py measures .54 to .93, and less makes gains less sure."""


class Canaries(NamedTuple):
    """Mislabelled members that score above every mislabelled hold-out, and members, of all seeds.

    No interval: the highest of so few hold-outs is a threshold that a bootstrap takes for known.
    """

    found: int
    members: int


@dataclass(frozen=True)
class Standing:
    """One entry on a board, with replicates shared by the whole board."""

    entry: Entry
    rows: Sequence[Row]
    """One an attacker, in the order of the entry's attackers."""
    worst: Worst
    sound: tuple[str, ...]
    """The attackers whose own gates passed: those that count."""
    epsilon: float
    """Empirical lower bound at 95 %, the best of the seeds (Bonferroni): attack and threshold are
    chosen on the first half of the pairs and tested on the second."""
    chance: Estimate
    """What as many attackers who know nothing would find."""
    other_seeds: bool
    """Whether its seeds are not those of the board: it compares with nothing then."""
    canary: Canaries | None
    """By the attack found worst on the first half of the pairs: no canary had a say in it."""

    @property
    def label(self) -> str:
        return self.entry.about.target.defense.label

    @property
    def epoch(self) -> int:
        return self.rows[0].epoch

    @property
    def at_end(self) -> bool:
        return self.entry.about.target.at is None

    @property
    def undefended(self) -> bool:
        """Whether it is a point of the frontier: no defense, at any checkpoint and rate.

        Of the suite's own: anybody may call a file of theirs `none`.
        """
        return self.shipped and {part.name for part in self._parts} <= UNDEFENDED

    @property
    def usual(self) -> bool:
        """No defense, by the recipe, to the end: what others are held against."""
        return self.shipped and self.at_end and [part.name for part in self._parts] == ["none"]

    @property
    def parameters(self) -> str:
        """What the label leaves out, too."""
        told = (f"{k}={v}" for part in self._parts for k, v in part.params.items() if v != "")
        return ", ".join(told) or "-"

    @property
    def shipped(self) -> bool:
        return all(part.shipped for part in self._parts)

    @property
    def _parts(self) -> Sequence[Plugin]:
        return self.entry.about.target.defense.parts

    @property
    def worst_attacks(self) -> str:
        """The attack that was worst on the first half, and on the second if that was another."""
        return " / ".join(dict.fromkeys(self.sound[i] for i in self.worst.tpr.chosen))

    @cached_property
    def failed(self) -> list[str]:
        """Why it may not be ranked: gates of its splits, or that no attacker passed its own."""
        if self.other_seeds:
            return [f"seeds {', '.join(map(str, self.entry.seeds))}, not those of the board"]
        if self.quality == "refused":
            return [f"{self.holdouts} hold-outs, too few for TPR@1%FPR"]
        lines = list(dict.fromkeys(line for row in self.rows for line in row.failed))
        return lines if self.none_sound else [line for line in lines if line in self.common]

    @cached_property
    def common(self) -> set[str]:
        """Failures of the splits: those whoever attacks."""
        return set.intersection(*(set(row.failed) for row in self.rows))

    @cached_property
    def none_sound(self) -> bool:
        return all(set(row.failed) - self.common for row in self.rows)

    @property
    def holdouts(self) -> int:
        return min(n for _, n in sizes(self.entry))

    @property
    def quality(self) -> Literal["refused", "warned", "board"]:
        """How far TPR@1%FPR is to be trusted with so many hold-outs."""
        return tpr_quality(self.holdouts, FPR)

    @property
    def strongest(self) -> list[str]:
        """The shipped attacks, knowing nothing of a defense, that were worst in either figure."""
        found = {self.sound[i] for i in (*self.worst.tpr.chosen, *self.worst.auc.chosen)}
        naive = {
            label
            for label, row in zip(self.entry.attackers, self.rows, strict=True)
            if not row.adaptive and self.entry.attacker(label).attack.shipped
        }
        return sorted(found & naive)

    def utility(self, name: str) -> Figure | None:
        return self.rows[0].utility(name)

    def cost(self) -> Estimate:
        """KID, lower is better."""
        figure = self.utility("kid_effnet")
        if figure is None:
            raise ValueError(f"entry {self.entry.name} has no KID")
        return figure.estimate

    def cost_draws(self, replicates: int) -> np.ndarray:
        """KID with its error, normal, (B,): half of the variance is every model's, half its own."""
        estimate = self.cost()
        spread = (estimate.high - estimate.low) / (2 * 1.96)
        # By the model: another entry's draws stay what they are.
        own = np.random.default_rng(int(self.entry.model[:12], 16)).standard_normal(replicates)
        common = np.random.default_rng(0).standard_normal(replicates)
        error = math.sqrt(SHARED_COST) * common + math.sqrt(1 - SHARED_COST) * own
        return estimate.value + spread * error


def standing(entry: Entry, resamples: Resamples, seeds: Sequence[int]) -> Standing:
    """The worst case over all attackers of the entry whose own gates passed.

    `seeds`: those of the board.
    """
    rows = collect(entry.results())
    common = set.intersection(*(set(row.failed) for row in rows))
    sound = tuple(
        label for label, row in zip(entry.attackers, rows, strict=True) if set(row.failed) <= common
    )
    # Where every attacker fails for itself none is left out: the row is greyed for it.
    counted = sound or tuple(entry.attackers)
    scores = []
    for seed in entry.seeds:
        sides = [entry.scores(attacker, seed) for attacker in counted]
        scores.append(SeedScores(*(np.stack(side) for side in zip(*sides, strict=True))))
    worst = worst_case(scores, resamples)
    attacker = counted[worst.tpr.chosen[0]]
    epsilon = _epsilon(entry, attacker, resamples.halves)
    chance = null_band(tuple(sizes(entry)), len(counted))
    other = list(seeds) != entry.seeds
    return Standing(entry, rows, worst, counted, epsilon, chance, other, _canary(entry, attacker))


def _epsilon(entry: Entry, attacker: str, halves: Sequence[Halves]) -> float:
    level = 1 - 0.05 / len(entry.seeds)
    bounds = [
        epsilon_lower_bound(*entry.scores(attacker, seed), level=level, halves=first)
        for seed, first in zip(entry.seeds, halves, strict=True)
    ]
    return max(bound.value for bound in bounds)


def _canary(entry: Entry, attacker: str) -> Canaries | None:
    if not entry.about.target.canaries:
        return None
    sides = [entry.canaries(attacker, seed) for seed in entry.seeds]
    found = sum(int((members > holdouts.max()).sum()) for members, holdouts in sides)
    return Canaries(found, sum(len(members) for members, _ in sides))


def sizes(entry: Entry) -> list[tuple[int, int]]:
    """Members and hold-outs of every seed."""
    return [(len(members), len(holdouts)) for members, holdouts in map(entry.ids, entry.seeds)]
