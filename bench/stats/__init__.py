"""Figures of a membership-inference attack, and how far each can be trusted.

Two arrays come in everywhere: the scores of the members and the scores of the hold-outs, higher =
more likely a member. One rule holds everywhere: *a pair is called a member iff score > threshold*.
Rules and the simulations behind them: docs/statistics.md. Numbers only: numpy and scipy.special.
"""

from bench.stats.audit import EpsilonBound, epsilon_lower_bound
from bench.stats.estimate import Estimate, SeedMean, clopper_pearson, mean_over_seeds, wilson
from bench.stats.intervals import asr_interval, auc_interval, tpr_claim, tpr_interval
from bench.stats.paired import (
    Difference,
    auc_difference,
    holm,
    mean_difference,
    tpr_difference,
)
from bench.stats.roc import (
    Roc,
    TprRule,
    accuracy,
    auc,
    best_threshold,
    conformal_threshold,
    null_asr,
    null_tpr,
    roc,
    tpr_at_fpr,
    tpr_quality,
    tpr_rule,
    tpr_swapped,
)

__all__ = [
    "Difference",
    "EpsilonBound",
    "Estimate",
    "Roc",
    "SeedMean",
    "TprRule",
    "accuracy",
    "asr_interval",
    "auc",
    "auc_difference",
    "auc_interval",
    "best_threshold",
    "clopper_pearson",
    "conformal_threshold",
    "epsilon_lower_bound",
    "holm",
    "mean_difference",
    "mean_over_seeds",
    "null_asr",
    "null_tpr",
    "roc",
    "tpr_at_fpr",
    "tpr_claim",
    "tpr_difference",
    "tpr_interval",
    "tpr_quality",
    "tpr_rule",
    "tpr_swapped",
    "wilson",
]
