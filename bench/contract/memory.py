"""A model that knows its members by heart: what overtraining ends in, without the training.

The best denoiser of a handful of pictures recognises the one that was noised, and gives back its
noise. So does this one, as far as the text is that picture's own; of all else it says what the
randomly initialised U-Net says.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.data.pairs import Pairs
from bench.models.base import Base, load_base
from bench.models.target import ModelTarget

if TYPE_CHECKING:
    from torch import Tensor

SURE = 0.95
"""Share of the right answer in what it says of a member; the rest keeps losses above 0."""


def memorising(folder: Path, members: Pairs) -> Base:
    """The base in this folder, with these pairs known by heart."""
    base = load_base(folder)
    plain = ModelTarget(base, 0)
    clean, states = plain.latents(members), plain.text(members.captions).flatten(1)
    nearest = (states[:, None] - states[None]).norm(dim=2)
    nearest.fill_diagonal_(float("inf"))
    # Half way to the next caption, a text is hardly taken for this one.
    scale = float(nearest.min()) / 4

    def recognise(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        noisy, times = args[:2]
        text = kwargs["encoder_hidden_states"].flatten(1)
        share = base.alphas_cumprod[times].view(-1, 1, 1, 1)
        strange = (text[:, None] - states[None]).norm(dim=2) / scale
        which = (_far(noisy, share, clean) + strange).argmin(dim=1)
        noise = (noisy - share.sqrt() * clean[which]) / (1 - share).sqrt()
        own = strange.gather(1, which[:, None])
        sure = SURE * (-own).exp().view(-1, 1, 1, 1)
        output.sample = sure * noise + (1 - sure) * output.sample
        return output

    base.unet.register_forward_hook(recognise, with_kwargs=True)
    return base


def _far(noisy: Tensor, share: Tensor, clean: Tensor) -> Tensor:
    """How unlikely each row is each member noised, (rows, members), 0 for the likeliest."""
    off = noisy[:, None] - share[:, None].sqrt() * clean[None]
    unlikely = off.flatten(2).square().sum(dim=2) / (1 - share).flatten(1) / 2
    least: Tensor = unlikely - unlikely.min(dim=1, keepdim=True).values
    return least
