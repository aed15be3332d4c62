"""From a picture to the square that a model reads, with or without augmentation.

`default` is the published script's transform: shorter side to the resolution (bilinear), random
crop, random horizontal flip, drawn anew at every visit. A square picture would know no crop at
all, so a recipe may pad its edges first (`crop_margin`). `none` is the centre crop without flip,
which is also what attacks see. Between them lie `center`, the centre crop with the flip, as in
diffusers' published example, and `script`, the random crop without flip, which is what the command
of Zhai et al. 2024 for "no augmentation" does: it leaves out `--random_flip` and does not say
`--center_crop`. `strong` is described where it is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.data.pairs import Pairs
from bench.data.strong import Strong, draw_strong, rendered
from bench.specs import Augment

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = NDArray[np.uint8]


class Crop(NamedTuple):
    """Where the square lies in the resized picture, and whether it is mirrored."""

    top: int
    left: int
    flip: bool


def resize(image: Image, side: int, margin: int = 0) -> Pixels:
    """Shorter side scaled to `side`, edges repeated by `margin`; uint8 of shape (h, w, 3)."""
    from PIL.Image import Resampling

    width, height = image.size
    scale = side / min(width, height)
    size = max(side, round(width * scale)), max(side, round(height * scale))
    if size != image.size:
        image = image.resize(size, Resampling.BILINEAR)
    pixels = np.asarray(image.convert("RGB"))
    return np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), mode="edge")


def zoom(pixels: Pixels, side: int, share: float) -> Pixels:
    """The middle floor(side * share) pixels of the centre crop, scaled back to `side`."""
    from PIL import Image

    inner = max(1, int(side * share))
    left, top = (pixels.shape[1] - inner) // 2, (pixels.shape[0] - inner) // 2
    return resize(Image.fromarray(pixels[top : top + inner, left : left + inner]), side)


def centre(pixels: Pixels, side: int) -> Crop:
    """The middle square, not mirrored."""
    return Crop((pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2, flip=False)


@dataclass(frozen=True)
class Squares:
    """The squares of all pairs as one array (n, side, side, 3), of which a slice is made at a time.

    Ten thousand pictures of 512 pixels would take 8 GB.
    """

    pairs: Pairs
    side: int

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, where: slice) -> Pixels:
        some = self.pairs.ids[where]
        return np.stack([square(self.pairs.image(id_), self.side) for id_ in some])


def square(image: Image, side: int) -> Pixels:
    """The whole picture as attacks and distances see it: resized, its middle square."""
    pixels = resize(image, side)
    crop = centre(pixels, side)
    return pixels[crop.top : crop.top + side, crop.left : crop.left + side]


def draw(pixels: Pixels, side: int, augment: Augment, rng: np.random.Generator) -> Crop | Strong:
    """The square of one visit.

    `default`, `center` and `script` make the same draws and use what is theirs, so that a visit
    meets the same crop, flip, timestep and noise under each of them.
    """
    middle = centre(pixels, side)
    if augment == "none":
        return middle
    if augment == "strong":
        return draw_strong(pixels, side, rng)
    top = int(rng.integers(pixels.shape[0] - side + 1))
    left = int(rng.integers(pixels.shape[1] - side + 1))
    flip = bool(rng.integers(2))
    if augment == "center":
        return middle._replace(flip=flip)
    return Crop(top, left, flip and augment != "script")


def cut(pixels: Pixels, crop: Crop | Strong, side: int) -> NDArray[np.float32]:
    """The square as float32 in [-1, 1], channels first."""
    if isinstance(crop, Strong):
        square = rendered(pixels, crop, side)
    else:
        square = pixels[crop.top : crop.top + side, crop.left : crop.left + side]
    if crop.flip:
        square = square[:, ::-1]
    return np.ascontiguousarray(square.transpose(2, 0, 1), dtype=np.float32) / 127.5 - 1.0
