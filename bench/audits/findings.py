"""What an audit found: each attack's figures, the worst, chance, and what would not be seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from bench.boards.gates import told
from bench.boards.rows import Row
from bench.data.given import open_given
from bench.specs import Stage
from bench.stats.audit import EpsilonBound, epsilon_lower_bound
from bench.stats.estimate import Estimate
from bench.stats.power import null_auc_band, smallest_auc, smallest_tpr
from bench.stats.roc import tpr_quality
from bench.stats.worst import Resamples, SeedScores, Worst, null_band, worst_case
from bench.store import Store
from bench.trust.duplicates import repeats

OF_AN_ATTACK = ("base control", "label permutation")
"""Gates that each attack has for itself; the others are the split's."""


@dataclass(frozen=True)
class Findings:
    """All attacks on one model, on the same m members and n hold-outs."""

    rows: Sequence[Row]
    scores: SeedScores
    """Members (A, m) and hold-outs (A, n)."""
    records: Mapping[str, Mapping[str, Any]]
    """The records of what the first attack stands on, by role."""

    repeats: Sequence[str] = ()
    """Where the gate on duplicates failed, the pairs that it counted, by the user's own names."""

    @property
    def attacks(self) -> tuple[str, ...]:
        return tuple(row.attack for row in self.rows)

    @property
    def m(self) -> int:
        return int(self.scores.members.shape[1])

    @property
    def n(self) -> int:
        return int(self.scores.holdouts.shape[1])

    @property
    def tells_tpr(self) -> bool:
        """Whether there are hold-outs enough for TPR@1%FPR."""
        return tpr_quality(self.n) != "refused"

    @cached_property
    def worst(self) -> Worst:
        """Chosen on one half of the pairs, measured on the other, both ways."""
        return worst_case([self.scores], self.resamples)

    @cached_property
    def resamples(self) -> Resamples:
        return Resamples.of([(self.m, self.n)])

    @property
    def chance_auc(self) -> Estimate:
        return null_auc_band(self.m, self.n, len(self.rows))

    @property
    def chance_tpr(self) -> Estimate:
        return null_band(((self.m, self.n),), len(self.rows))

    @property
    def smallest_auc(self) -> float:
        return smallest_auc(self.m, self.n, len(self.rows))

    @property
    def smallest_tpr(self) -> float:
        return smallest_tpr(self.m, self.n, len(self.rows))

    @property
    def seen_by_auc(self) -> bool:
        """Above what attacks that know nothing reach in 39 of 40 audits."""
        return self.worst.auc.value > self.chance_auc.high

    @property
    def seen_by_tpr(self) -> bool:
        """The same of TPR@1%FPR; by either figure chance is taken for a leak in at most 1 of 20."""
        return self.tells_tpr and self.worst.tpr.value > self.chance_tpr.high

    @cached_property
    def epsilon(self) -> EpsilonBound:
        """Attack and threshold chosen on the first half, tested on the second."""
        chosen = self.worst.tpr.chosen[0] if self.tells_tpr else self.worst.auc.chosen[0]
        sides = self.scores.members[chosen], self.scores.holdouts[chosen]
        return epsilon_lower_bound(*sides, halves=self.resamples.halves[0])

    @cached_property
    def failed(self) -> dict[str, str]:
        """Gates that failed, by name, each in words with its figures; any of them fails the audit.

        Of the split itself, or of an attack: its base control, its label permutation.
        """
        found: dict[str, str] = {}
        for row in self.rows:
            for gate in gates_of(row):
                if not gate["passed"]:
                    whose = f"{row.attack}, " if gate["name"] in OF_AN_ATTACK else ""
                    found.setdefault(gate["name"], whose + told(gate["name"], gate["figures"]))
        return found


def gates_of(row: Row) -> list[Mapping[str, Any]]:
    """All verdicts that bear on a row."""
    (result,) = row.results.values()
    control = row.control
    return [*result["gates"], *([control._asdict()] if control else [])]


def find(store: Store, ends: Sequence[Stage]) -> Findings:
    """From the finished metrics stages of an audit, one an attack."""
    rows, sides = [], []
    for end in ends:
        card = end.params["cell"]
        rows.append(Row(card, {card["seed"]: store.record(end)["result"]}))
        scored = end.inputs["scores"]
        store.bring(scored.kind, scored.key)
        path = store.folder(scored.kind, scored.key) / "scores.npz"
        with np.load(path, allow_pickle=False) as stored:
            scores, is_member = stored["scores"], stored["is_member"]
        sides.append((scores[is_member], scores[~is_member]))
    first = ends[0].inputs
    inputs = {**first, "model": first["features"].inputs["model"]}
    records = {role: store.record(stage) for role, stage in inputs.items()}
    members, holdouts = (np.stack(side) for side in zip(*sides, strict=True))
    found = Findings(rows, SeedScores(members, holdouts), records)
    if "duplicates" in found.failed:
        return replace(found, repeats=_repeats(first["split"], records["split"]["result"]))
    return found


def _repeats(split: Stage, dealt: Mapping[str, Any]) -> list[str]:
    """Looked for again: the gate's record, which entries share, has its counts alone."""
    given = open_given(split.hints["data"])
    names = given.names()
    said = {"pictures": "near-duplicate pictures", "captions": "the same caption"}
    return [
        f"{names[one.ids[0]]} and {names[one.ids[1]]} ({said[one.what]})"
        for one in repeats(given.pairs(), dealt)
    ]
