"""A U-Net's cross-attention: which words it attends to, and one projection of a text for many t.

Word importance takes one forward on the noised latent instead of the whole generation that DAAM
(Tang et al. 2022, arXiv 2210.04885) and PromptCharm read: maps of all layers and heads, averaged
over pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


@contextmanager
def recorded(unet: Any) -> Iterator[list[Tensor]]:
    """Collects one (rows, tokens) tensor a forward; what the U-Net computes is untouched.

    A forward that fails half-way leaves nothing.
    """
    import torch

    current: list[Tensor] = []
    done: list[Tensor] = []

    def look(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        hidden, text = args[0], kwargs["encoder_hidden_states"]
        query = module.head_to_batch_dim(module.to_q(hidden))
        key = module.head_to_batch_dim(module.to_k(text))
        shares = module.get_attention_scores(query, key)
        current.append(shares.view(len(hidden), -1, shares.shape[-1]).mean(dim=1))

    def begin(*_: Any) -> None:
        current.clear()

    def end(*_: Any) -> None:
        done.append(torch.stack(current).mean(dim=0).cpu())

    crossing = [module for name, module in unet.named_modules() if name.endswith("attn2")]
    hooks = [m.register_forward_pre_hook(look, with_kwargs=True) for m in crossing]
    hooks += [unet.register_forward_pre_hook(begin), unet.register_forward_hook(end)]
    try:
        yield done
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def text_projected_once(unet: Any) -> Iterator[None]:
    """Keys and values of the same text tensor are computed once for the forwards inside.

    They do not depend on latent or timestep; in a small model they are a fifth of a forward.
    """
    crossing = [module for name, module in unet.named_modules() if name.endswith("attn2")]
    projections = [linear for module in crossing for linear in (module.to_k, module.to_v)]
    for linear in projections:
        linear.forward = _remembering(linear.forward)
    try:
        yield
    finally:
        for linear in projections:
            del linear.forward


def _remembering(forward: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    last: list[Tensor] = []

    def answer(text: Tensor) -> Tensor:
        if not last or last[0] is not text:
            last[:] = text, forward(text)
        return last[1]

    return answer


def by_word(caption: str, weights: list[float], tokenizer: Any) -> list[float]:
    """Token weights summed by blank-separated word; 0 for words that did not fit the encoder.

    `weights` begins with the start mark's and ends with those of end mark and padding.
    """
    words = caption.split()
    lengths = [len(tokenizer(word, add_special_tokens=False).input_ids) for word in words]
    inside, sums = weights[1 : min(1 + sum(lengths), len(weights) - 1)], []
    for length in lengths:
        sums.append(float(sum(inside[:length])))
        inside = inside[length:]
    return sums
