"""What a pipeline has beside its U-Net, compared with the base's; rounding is no training.

A file in half precision has every weight rounded to its nearest neighbour, and nothing else: a
weight that is anything but the other's, or the other's so rounded, was changed. No tolerance is
needed, and none is safe: a few hundred steps at 1e-6 move a weight of 0.02 by less than its tenth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from bench.models.base import Base

Weights = dict[str, "Tensor"]


def rounded(weights: Weights, base: Weights) -> bool:
    """Whether each weight is the base's, or that rounded to one of the halves; both float32."""
    return weights.keys() == base.keys() and all(
        _rounded(value, base[name]) for name, value in weights.items()
    )


def check_frame(own: Base, base: Base) -> None:
    """Tokenizer, schedule and image encoder must be the base's, or losses are not comparable."""
    both = (own, base)
    words = [(one.tokenizer.get_vocab(), one.tokenizer.model_max_length) for one in both]
    schedules = [(one.prediction_type, one.scheduler.betas.tolist()) for one in both]
    encoders = [one.vae.encoder.state_dict() | one.vae.quant_conv.state_dict() for one in both]
    for what, same in (
        ("tokenizer", words[0] == words[1]),
        ("schedule or prediction type", schedules[0] == schedules[1]),
        ("latent scale", own.scaling_factor == base.scaling_factor),
        # Of the two it may be the base that is kept in half precision.
        ("image encoder", rounded(*encoders) or rounded(*reversed(encoders))),
    ):
        if not same:
            raise UsageError(
                f"the {what} of {own.folder} is not that of base {base.folder}: not a fine-tune of "
                "it; leave out --base, or name another"
            )


def _rounded(value: Tensor, base: Tensor) -> bool:
    import torch

    return value.shape == base.shape and any(
        value.equal(base.to(kind).to(base)) for kind in (base.dtype, torch.float16, torch.bfloat16)
    )
