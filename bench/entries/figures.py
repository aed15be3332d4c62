"""Figures in an entry: of attacks, recomputed by `bench validate`, and of utility, as stated."""

from __future__ import annotations

from typing import Literal

from bench.entries.fields import Count, Share, Shown, Strict


class Figure(Strict):
    """A figure with its interval."""

    value: Share
    low: Share
    high: Share
    method: Shown
    level: Share


class Figures(Strict):
    """What `bench.stages.metrics.attack_figures` makes of one set of scores."""

    members: Count
    holdouts: Count
    asr: Figure
    asr_oracle: Share
    auc: Figure
    tpr_quality: Literal["refused", "warned", "board"]
    tpr: Figure | None
    tpr_null: Share
    tpr_swapped: Share


class Measure(Strict):
    """A figure with its interval on any scale."""

    value: float
    low: float
    high: float
    method: Shown
    level: Share


class Inception(Strict):
    """FID and KID proper, and those of real pictures."""

    fid: float
    fid_floor: float
    kid: Measure
    kid_floor: Measure


class Fid(Strict):
    """On Inception features, by how pictures were resized; `rank_deficient`: n <= 2,048."""

    tf1: Inception
    aa: Inception
    rank_deficient: bool


class Clip(Strict):
    """The CLIP that scored alignment."""

    digest: Shown
    own_text_tower: bool


class Utility(Strict):
    """As the utility stage gives it; `bench.stages.utility` tells what each is."""

    n: Count
    fid: Fid | None
    kid_effnet: Measure
    kid_effnet_floor: Measure
    fd_effnet: float
    fd_effnet_floor: float
    fd_effnet64: float
    fd_effnet64_floor: float
    precision: Share | None
    recall: Share | None
    precision_real: Share | None
    recall_real: Share | None
    clip: Clip | None
    clip_score: Measure | None
    clip_gain: Measure | None
    clip_score_real: Measure | None
    clip_gain_real: Measure | None
    held_out_loss: Measure
