"""What an update does to all weights beside the optimiser, in as few passes over them as it takes.

Where a model is large for its batch, an update waits for memory. Both functions give the bits of
what they stand for, diffusers' `EMAModel.step` and torch's `clip_grad_norm_`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def average(ema: Any, weights: Sequence[Tensor]) -> None:
    """Moves the averages s by (1 - d) (p - s), with d the decay that is due.

    In one pass and without a second copy of the model, which `EMAModel.step` makes each time.
    """
    import torch

    ema.optimization_step += 1
    ema.cur_decay_value = ema.get_decay(ema.optimization_step)
    share = 1 - ema.cur_decay_value
    with torch.no_grad():
        if share < 0.5:
            torch._foreach_lerp_(ema.shadow_params, list(weights), share)
            return
        for slow, p in zip(ema.shadow_params, weights, strict=True):
            slow.sub_(slow - p, alpha=share)  # from 0.5 on lerp starts from the other end


def clip(accelerator: Any, weights: Sequence[Tensor], limit: float) -> None:
    """Scales gradients to this norm at most; leaves them alone where they are within it."""
    import torch

    accelerator.unscale_gradients()
    norm = torch.nn.utils.get_total_norm([p.grad for p in weights if p.grad is not None])
    if float(limit / (norm + 1e-6)) < 1.0:
        torch.nn.utils.clip_grads_with_norm_(weights, limit, norm)
