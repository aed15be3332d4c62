"""The Inception network of December 2015, of which FID and KID are defined, in PyTorch.

Szegedy et al. 2016 (arXiv 1512.00567) as TensorFlow trained it: averages leave padding out of the
count, the last block pools by maximum, and a picture is enlarged by TF 1's bilinear rule. Modules
are named as in the published file of weights. Imported only where features are computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Resizing = Literal["tf1", "aa"]
SIDE = 299
Shape = tuple[int, int]
Convolution = tuple[int, int, Shape, int]
"""Channels in and out, kernel, stride."""
Step = str | tuple[str, str]
"""A convolution by name; two names fork, and what they answer is put side by side."""


class Convolved(nn.Module):
    """Convolution without bias, batch normalisation, rectification."""

    def __init__(self, given: Convolution, padded: bool) -> None:
        super().__init__()
        before, after, kernel, stride = given
        padding = (kernel[0] // 2, kernel[1] // 2) if padded else (0, 0)
        self.conv = nn.Conv2d(before, after, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(after, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        convolved: Tensor = self.bn(self.conv(x))
        return F.relu(convolved)


class Block(nn.Module):
    """Branches side by side, each a chain of convolutions; the last one pools first."""

    def __init__(
        self,
        convolutions: dict[str, Convolution],
        pool: nn.Module,
    ) -> None:
        super().__init__()
        for name, given in convolutions.items():
            self.add_module(name, Convolved(given, padded=given[3] == 1))
        self.chains: list[list[Step]] = _chains(
            [name for name in convolutions if name != "branch_pool"]
        )
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        found = []
        for chain in self.chains:
            y = x
            for step in chain:
                names = (step,) if isinstance(step, str) else step
                y = torch.cat([self.get_submodule(name)(y) for name in names], dim=1)
            found.append(y)
        pooled = self.pool(x)
        if hasattr(self, "branch_pool"):
            pooled = self.get_submodule("branch_pool")(pooled)
        return torch.cat([*found, pooled], dim=1)


def _chains(names: Sequence[str]) -> list[list[Step]]:
    """`branch_1`, `branch_2` follow each other; `branch_2a` and `branch_2b` fork."""
    chains: dict[str, list[Step]] = {}
    for name in names:
        branch, _, place = name.partition("_")
        chain = chains.setdefault(branch, [])
        if place.endswith("b"):
            chain[-1] = (f"{branch}_{place[:-1]}a", name)
        else:
            chain.append(name)
    return list(chains.values())


def _average() -> nn.Module:
    return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)


def _block_a(before: int, pooled: int) -> Block:
    return Block(
        {
            "branch1x1": (before, 64, (1, 1), 1),
            "branch5x5_1": (before, 48, (1, 1), 1),
            "branch5x5_2": (48, 64, (5, 5), 1),
            "branch3x3dbl_1": (before, 64, (1, 1), 1),
            "branch3x3dbl_2": (64, 96, (3, 3), 1),
            "branch3x3dbl_3": (96, 96, (3, 3), 1),
            "branch_pool": (before, pooled, (1, 1), 1),
        },
        _average(),
    )


def _block_b() -> Block:
    return Block(
        {
            "branch3x3": (288, 384, (3, 3), 2),
            "branch3x3dbl_1": (288, 64, (1, 1), 1),
            "branch3x3dbl_2": (64, 96, (3, 3), 1),
            "branch3x3dbl_3": (96, 96, (3, 3), 2),
        },
        nn.MaxPool2d(3, stride=2),
    )


def _block_c(within: int) -> Block:
    flat, tall = (1, 7), (7, 1)
    return Block(
        {
            "branch1x1": (768, 192, (1, 1), 1),
            "branch7x7_1": (768, within, (1, 1), 1),
            "branch7x7_2": (within, within, flat, 1),
            "branch7x7_3": (within, 192, tall, 1),
            "branch7x7dbl_1": (768, within, (1, 1), 1),
            "branch7x7dbl_2": (within, within, tall, 1),
            "branch7x7dbl_3": (within, within, flat, 1),
            "branch7x7dbl_4": (within, within, tall, 1),
            "branch7x7dbl_5": (within, 192, flat, 1),
            "branch_pool": (768, 192, (1, 1), 1),
        },
        _average(),
    )


def _block_d() -> Block:
    return Block(
        {
            "branch3x3_1": (768, 192, (1, 1), 1),
            "branch3x3_2": (192, 320, (3, 3), 2),
            "branch7x7x3_1": (768, 192, (1, 1), 1),
            "branch7x7x3_2": (192, 192, (1, 7), 1),
            "branch7x7x3_3": (192, 192, (7, 1), 1),
            "branch7x7x3_4": (192, 192, (3, 3), 2),
        },
        nn.MaxPool2d(3, stride=2),
    )


def _block_e(before: int, pool: nn.Module) -> Block:
    return Block(
        {
            "branch1x1": (before, 320, (1, 1), 1),
            "branch3x3_1": (before, 384, (1, 1), 1),
            "branch3x3_2a": (384, 384, (1, 3), 1),
            "branch3x3_2b": (384, 384, (3, 1), 1),
            "branch3x3dbl_1": (before, 448, (1, 1), 1),
            "branch3x3dbl_2": (448, 384, (3, 3), 1),
            "branch3x3dbl_3a": (384, 384, (1, 3), 1),
            "branch3x3dbl_3b": (384, 384, (3, 1), 1),
            "branch_pool": (before, 192, (1, 1), 1),
        },
        pool,
    )


class Inception(nn.Module):
    """Pooled features (n, 2048) of pictures (n, 3, h, w) with values from 0 to 255."""

    def __init__(self) -> None:
        super().__init__()
        square = (3, 3)
        self.Conv2d_1a_3x3 = Convolved((3, 32, square, 2), padded=False)
        self.Conv2d_2a_3x3 = Convolved((32, 32, square, 1), padded=False)
        self.Conv2d_2b_3x3 = Convolved((32, 64, square, 1), padded=True)
        self.MaxPool_1 = nn.MaxPool2d(3, stride=2)
        self.Conv2d_3b_1x1 = Convolved((64, 80, (1, 1), 1), padded=False)
        self.Conv2d_4a_3x3 = Convolved((80, 192, square, 1), padded=False)
        self.MaxPool_2 = nn.MaxPool2d(3, stride=2)
        self.Mixed_5b = _block_a(192, 32)
        self.Mixed_5c = _block_a(256, 64)
        self.Mixed_5d = _block_a(288, 64)
        self.Mixed_6a = _block_b()
        self.Mixed_6b = _block_c(128)
        self.Mixed_6c = _block_c(160)
        self.Mixed_6d = _block_c(160)
        self.Mixed_6e = _block_c(192)
        self.Mixed_7a = _block_d()
        self.Mixed_7b = _block_e(1280, _average())
        self.Mixed_7c = _block_e(2048, nn.MaxPool2d(3, stride=1, padding=1))
        self.fc = nn.Linear(2048, 1008)
        """Not asked; its weights are in the published file."""

    def forward(self, pictures: Tensor, resizing: Resizing) -> Tensor:
        x = (resized(pictures, resizing) - 128) / 128
        for name, module in self.named_children():
            if name != "fc":
                x = module(x)
        return x.mean(dim=(2, 3))


def resized(pictures: Tensor, resizing: Resizing) -> Tensor:
    """To 299 x 299: `tf1`, as FID was defined, without antialiasing; `aa`, with it."""
    if resizing == "aa":
        return F.interpolate(
            pictures, size=(SIDE, SIDE), mode="bilinear", align_corners=False, antialias=True
        )
    for axis in (2, 3):
        pictures = _stretched(pictures, axis)
    return pictures


def _stretched(x: Tensor, axis: int) -> Tensor:
    """TF 1's bilinear rule along an axis: pixel i is read at i * size / 299, corners first."""
    size = x.shape[axis]
    at = torch.arange(SIDE, device=x.device, dtype=x.dtype) * (size / SIDE)
    low = at.floor().long().clamp(max=size - 1)
    high = (low + 1).clamp(max=size - 1)
    share = (at - low).view([-1 if i == axis else 1 for i in range(4)])
    below, above = x.index_select(axis, low), x.index_select(axis, high)
    return below + (above - below) * share
