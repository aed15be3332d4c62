"""What a U-Net computes without looking at the text: once for a noised latent, not once a text.

CLiD asks about one noised latent with five texts. Up to the first cross-attention the five forwards
are the same: in a small model, whose upper level has no attention, a seventh of the work. So is
what later blocks read off the timestep: a thirtieth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

Memory = dict[Any, Any]
"""What each module answered."""


@contextmanager
def begun_once(unet: Any, noised: Sequence[Tensor]) -> Iterator[None]:
    """Forwards on these very tensors, each at a timestep of its own, begin where the first ended.

    Bits are those of whole forwards. A forward on anything else is a whole one, and everything is
    forgotten before it: parts of a batch are asked about when the batch did not fit the memory.
    """
    memories: dict[int, Memory] = {id(latents): {} for latents in noised}
    current: list[Memory] = []

    def begin(_: Any, args: tuple[Any, ...]) -> None:
        current[:] = [memories[id(args[0])]] if id(args[0]) in memories else []
        if not current:
            for memory in memories.values():
                memory.clear()

    modules = _without_text(unet) if memories else []
    hook = unet.register_forward_pre_hook(begin)
    for module in modules:
        module.forward = _remembering(module, current)
    try:
        yield
    finally:
        hook.remove()
        for module in modules:
            del module.forward


def _remembering(module: Any, current: list[Memory]) -> Callable[..., Any]:
    forward = module.forward

    def answer(*args: Any, **kwargs: Any) -> Any:
        if not current:
            return forward(*args, **kwargs)
        memory = current[0]
        if module not in memory:
            memory[module] = forward(*args, **kwargs)
        return memory[module]

    return answer


def _without_text(unet: Any) -> list[Any]:
    """Modules that depend on latent and timestep alone."""
    if getattr(unet, "add_embedding", None) is not None:
        return []  # the text, too, may be a part of its timestep's embedding
    timed = [m for name, m in unet.named_modules() if name.endswith("time_emb_proj")]
    return [*_before_text(unet), *timed]


def _before_text(unet: Any) -> list[Any]:
    """What comes before the first cross-attention, as large as it comes."""
    found = [getattr(unet, name) for name in ("time_embedding", "conv_in") if hasattr(unet, name)]
    for block in getattr(unet, "down_blocks", ()):
        if getattr(block, "has_cross_attention", False):
            return [*found, block.resnets[0], *_before_crossing(block.attentions[0])]
        found.append(block)
    return found


def _before_crossing(layer: Any) -> list[Any]:
    """A transformer's way in, its self-attention and the questions that it has for the text."""
    from diffusers import Transformer2DModel

    if not isinstance(layer, Transformer2DModel):
        return []  # another build, of which this is not known
    first, way_in = layer.transformer_blocks[0], [layer.norm, layer.proj_in]
    if first.only_cross_attention:
        return way_in
    return [*way_in, first.norm1, first.attn1, first.norm2, first.attn2.to_q]
