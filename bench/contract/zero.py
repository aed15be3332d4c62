"""The parameters at which a defense does nothing, as it declares them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bench.plugins import shipped

ZEROS: dict[str, Mapping[str, Any]] = {
    "none": {},
    "agc": {"mem_ratio": math.inf},
    "caption_dropout": {"p": 0.0},
    "cwr": {"p": 0.0},
    "dedup": {"phash": 0},
    "del": {"rate": 0.0},
    "distill_md": {"share": 0.0},
    "distill_single": {"share": 0.0},
    "dp_lora": {"epsilon": math.inf, "clip": math.inf, "rank": 0},
    "dp_sgd": {"epsilon": math.inf, "clip": math.inf},
    "early_stop": {"patience": 0},
    "ema": {"decay": 0.9},
    "generalize": {"p": 0.0},
    "gn": {"lam": 0.0},
    "input_perturbation": {"gamma": 0.0},
    "latent_mixup": {"a": 0.0},
    "learning_rate": {"scale": 1.0},
    "lora": {"rank": 0},
    "mc": {"k": 0},
    "min_snr": {"gamma": math.inf},
    "mp_lora": {"lam": 0.0, "rank": 0},
    "rc": {"p": 0.0},
    "reph": {"rate": 0.0},
    "rt": {"p": 0.0},
    "shuffle": {"fraction": 0.0},
    "shuffle_words": {"p": 0.0},
    "smp_lora": {"lam": 0.0, "rank": 0},
    "text_mixup": {"a": 0.0},
    "weight_decay": {"value": 0.01},
    "wen_filter": {"tau": math.inf},
}
"""Of the shipped ones. Their files are in the keys of published results, which a line more in them
would leave without their code."""


def at_zero(cls: type[Any]) -> Mapping[str, Any] | None:
    """Parameters of strength zero; None where there are none."""
    declared: Mapping[str, Any] | None = cls.zero
    if declared is None and any(plugin.cls is cls for plugin in shipped("defense")):
        return ZEROS.get(cls.name)
    return declared
