"""A U-Net whose forward and backward are replayed as CUDA graphs.

A small U-Net keeps a GPU waiting for the thousand kernels of an update to be launched one by one. A
graph launches all of them at once: the same kernels on the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

MOST_GRAPHS = 4
"""Batch shapes that are worth a graph's memory; others run kernel by kernel."""
SEEN_BEFORE = 8
"""Times a shape is met before it is: some come once only."""
SMALL = 200_000_000
"""Weights above which kernels are long enough not to wait for their launch."""

Shapes = tuple[tuple[int, ...], ...]


class Graphed:
    """Predictions with gradient, of one micro-batch at a time: the next one reuses the memory."""

    def __init__(self, unet: Any, *, plain: bool = True) -> None:
        """`plain`: in full precision and without checkpointing, which no graph can hold."""
        self._unet = unet
        weights = list(unet.parameters())
        on_gpu = weights[0].device.type == "cuda"
        self._able = plain and on_gpu and sum(w.numel() for w in weights) < SMALL
        self._met: dict[Shapes, int] = {}
        self._graphs: dict[Shapes, Callable[..., Tensor]] = {}

    def __call__(self, noisy: Tensor, times: Tensor, text: Tensor) -> Tensor:
        """What the U-Net puts out, (n, c, h, w)."""
        output: Tensor
        shapes = (tuple(noisy.shape), tuple(text.shape))
        self._met[shapes] = self._met.get(shapes, 0) + 1
        wanted = self._able and self._met[shapes] > SEEN_BEFORE
        if wanted and shapes not in self._graphs and len(self._graphs) < MOST_GRAPHS:
            self._graphs[shapes] = self._captured(noisy, times, text)
        if shapes in self._graphs:
            output = self._graphs[shapes](noisy, times, text)
        else:
            output = self._unet(noisy, times, encoder_hidden_states=text).sample
        return output

    def _captured(self, *like: Tensor) -> Callable[..., Tensor]:
        import torch

        class Plain(torch.nn.Module):
            """The U-Net by position, tensor in and tensor out."""

            def __init__(self, unet: Any) -> None:
                super().__init__()
                self.unet = unet

            def forward(self, noisy: Tensor, times: Tensor, text: Tensor) -> Tensor:
                output: Tensor = self.unet(noisy, times, encoder_hidden_states=text).sample
                return output

        given = tuple(tensor.detach().clone() for tensor in like)
        graphed: Any = torch.cuda.make_graphed_callables(
            Plain(self._unet), given, allow_unused_input=True
        )
        replayed: Callable[..., Tensor] = graphed
        return replayed
