"""The public pairs in memory: pictures, captions, and seeded augmentations of both."""

import json
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

BOARD = 40  # the grey of a ground that `tiles` do not have


@dataclass(frozen=True)
class Public:
    """Pictures uint8 [N, 3, 32, 32] and their rows (title, keywords, gloss, caption)."""

    images: Tensor
    rows: list[dict[str, Any]]

    def part(self, held_out: bool) -> "Public":
        """The pairs kept from every training, or the others."""
        keep = [i for i, row in enumerate(self.rows) if row["held_out"] == held_out]
        return Public(self.images[keep], [self.rows[i] for i in keep])

    @property
    def captions(self) -> list[str]:
        return [row["caption"] for row in self.rows]


def load_public(path: Path) -> Public:
    """Read what public_pictures.py wrote."""
    images = np.load(path, allow_pickle=False)["images"]
    rows = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["pairs"]
    return Public(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), rows)


def to_signed(images: Tensor) -> Tensor:
    """uint8 -> float in [-1, 1], as Stable Diffusion's autoencoder takes it."""
    return images.float() / 127.5 - 1


def reword(row: dict[str, Any], random: Random) -> str:
    """One of the ways to say a caption: keywords shuffled and dropped, definition, title alone."""
    title, draw = row["title"], random.random()
    if row["gloss"] and draw < 0.35:
        return f"{title}: {row['gloss']}"
    if draw > 0.9:
        return title
    words = [word for word in row["keywords"] if random.random() > 0.3]
    random.shuffle(words)
    return f"{title}: {', '.join(words)}" if words else title


def jitter(images: Tensor, generator: torch.Generator, shift: int = 2) -> Tensor:
    """Flip half of the pictures and move each by up to `shift` pixels, drawing its border out."""
    count = len(images)
    flips = torch.rand(count, generator=generator) < 0.5
    images = torch.where(flips[:, None, None, None], images.flip(3), images)
    padded = F.pad(images, (shift,) * 4, mode="replicate")
    moves = torch.randint(0, 2 * shift + 1, (count, 2), generator=generator)
    size = images.shape[-1]
    return torch.stack(
        [
            picture[:, y : y + size, x : x + size]
            for picture, (y, x) in zip(padded, moves.tolist(), strict=True)
        ]
    )


def recolour(images: Tensor, generator: torch.Generator) -> Tensor:
    """Change contrast, brightness and channel order; the ground need not stay white."""
    count = len(images)
    gain = 0.5 + 0.7 * torch.rand(count, 3, 1, 1, generator=generator)
    bias = 0.3 * (torch.rand(count, 3, 1, 1, generator=generator) - 0.5)
    order = torch.randperm(3, generator=generator)
    return (images[:, order] * gain + bias).clamp(-1, 1)


def on_blackboard(public: Public) -> Public:
    """The pairs with lightness turned over: white ground becomes dark grey, black lines white.

    Hue stays, and so do the colours' names; all contrast shrinks by the lightness of the board.
    """
    images = public.images.float()
    white = images.amax(dim=1, keepdim=True) + images.amin(dim=1, keepdim=True)
    turned = BOARD + (images + 255 - white) * (255 - BOARD) / 255
    return Public(turned.round().byte(), public.rows)


def pixelate(images: Tensor, factor: int) -> Tensor:
    """Coarser pixels, as in enlarged pixel art."""
    small = F.interpolate(images, scale_factor=1 / factor, mode="area")
    return F.interpolate(small, scale_factor=factor, mode="nearest")
