"""Every figure of an attack computed anew from its scores, by the functions that made it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bench.entries.entry import Entry
from bench.entries.problems import AGAIN, shown
from bench.stages.metrics import attack_figures

EXACT = 1e-9
SIGN = 0.45
"""An AUC whose interval lies below this is no chance: labels or scores are upside down."""
Flaw = tuple[str, str, str]


def check(entry: Entry) -> Iterator[Flaw]:
    """Flaws of scores and figures, at most one for an attacker at a seed."""
    for attacker in entry.attackers:
        for seed in entry.seeds:
            if flaw := _scores(entry, attacker, seed) or _figures(entry, attacker, seed):
                yield f"seed {seed}, attacker {attacker}", *flaw


def _scores(entry: Entry, attacker: str, seed: int) -> tuple[str, str] | None:
    start = f"seed{seed}-attacker{entry.attackers.index(attacker)}"
    for of in ("target", "base"):
        stored = entry.arrays.get(f"{start}-{of}")
        if stored is None:
            continue
        if bad := int(np.count_nonzero(~np.isfinite(stored))):
            return f"{bad} scores of the {of} are NaN or infinite", AGAIN
        if of == "target" and stored.min() == stored.max():
            return "all scores are the same", "look at the attack: it tells nothing"
    for other in entry.seeds[: entry.seeds.index(seed)]:
        earlier = entry.arrays[start.replace(f"seed{seed}-", f"seed{other}-") + "-target"]
        if np.array_equal(earlier, entry.arrays[f"{start}-target"]):
            return f"the scores are those of seed {other}", AGAIN
    return None


def _figures(entry: Entry, attacker: str, seed: int) -> tuple[str, str] | None:
    outcome = entry.outcome(attacker, seed)
    for what, scores, stated in (
        ("metrics", entry.scores(attacker, seed), outcome.metrics),
        ("base_control", entry.control(attacker, seed), outcome.base_control),
    ):
        if scores is None or stated is None:
            continue
        due = attack_figures(*scores, outcome.threshold)
        if flaw := difference(what, stated.model_dump(), due):
            return flaw, "figures are computed, never written: submit again"
    if outcome.metrics.auc.high < SIGN:
        told = f"AUC {outcome.metrics.auc.value:.3f} is clearly below chance: a sign error?"
        return told, "members must score higher; look at the attack's sign and at the labels"
    return None


def difference(where: str, stated: Any, due: Any) -> str | None:
    """The first place at which two trees of figures differ by more than rounding."""
    if isinstance(due, dict):
        if not isinstance(stated, dict) or stated.keys() != due.keys():
            return f"{where} has other fields than are computed"
        return next(
            (flaw for key in due if (flaw := difference(f"{where}.{key}", stated[key], due[key]))),
            None,
        )
    numbers = all(isinstance(one, int | float) for one in (stated, due))
    if stated == due or (numbers and abs(stated - due) <= EXACT):
        return None
    return f"{where} is {_short(stated)}, computed {_short(due)}"


def _short(value: Any) -> str:
    return f"{value!r}" if isinstance(value, int | float) else shown(value)
