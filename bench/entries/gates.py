"""Gates in an entry, each with the figures that decided it, as `bench.trust` gives them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bench.entries.fields import Count, Share, Strict

SPLIT_GATES = ("blind captions", "blind pictures", "duplicates")
"""Those of a split, the same for all attackers; each attacker has `label permutation` besides."""


class BlindFigures(Strict):
    """Of a classifier that met no model, against 199 other labellings."""

    members: Count
    holdouts: Count
    auc: Share
    auc_low: Share
    auc_high: Share
    auc_p: Share
    auc_others_highest: Share
    auc_others_mean: Share
    auc_others_sd: Share
    seen_from: float
    rule: Literal["rank", "bound"]
    tpr: Share | None
    tpr_null: Share | None
    tpr_p: Share | None
    tpr_others_highest: Share | None


class DuplicateFigures(Strict):
    """Links across the parts of a split."""

    pictures: Count
    captions: Count
    of_target: Count


class PermutationFigures(Strict):
    """AUC with membership dealt anew."""

    auc: Share
    p: Share
    mean: Share
    sd: Share
    draws: Count


class BlindGate(Strict):
    """Captions or pictures alone."""

    name: Literal["blind captions", "blind pictures"]
    passed: bool
    figures: BlindFigures


class DuplicateGate(Strict):
    """Near-duplicates across the split."""

    name: Literal["duplicates"]
    passed: bool
    figures: DuplicateFigures


class PermutationGate(Strict):
    """Permuted labels."""

    name: Literal["label permutation"]
    passed: bool
    figures: PermutationFigures


SplitGate = Annotated[BlindGate | DuplicateGate, Field(discriminator="name")]
