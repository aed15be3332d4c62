"""Strong augmentation: resized crop, flip, colour jitter, Cutout; parameters drawn, then applied.

RandomResizedCrop of 50 to 100 % of the picture (sides 3:4 to 4:3, ten attempts, then the middle)
and colour jitter of brightness, contrast, saturation (0.4 each) and hue (0.1), as in torchvision on
PIL pictures but with the four in this order; Cutout (DeVries and Taylor 2017, arXiv 1708.04552): a
square of half the side, 25 % of the area, set to middle grey about a uniform centre, so that a
part may lie outside. No two visits look alike, hence nothing of it may be encoded beforehand.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SCALE = (0.5, 1.0)
RATIO = (3 / 4, 4 / 3)
ATTEMPTS = 10
JITTER = (0.6, 1.4)
HUE = (-0.1, 0.1)
GREY = 127


class Strong(NamedTuple):
    """Everything that one visit draws."""

    box: tuple[int, int, int, int]
    """Top, left, height and width of the crop."""
    flip: bool
    brightness: float
    contrast: float
    saturation: float
    hue: float
    row: int
    """Centre of the hole in the finished square."""
    column: int


def draw_strong(pixels: NDArray[np.uint8], side: int, rng: np.random.Generator) -> Strong:
    """The parameters of one visit of a picture."""
    box = _box(pixels.shape[0], pixels.shape[1], rng)
    flip = bool(rng.integers(2))
    brightness, contrast, saturation = (float(rng.uniform(*JITTER)) for _ in range(3))
    hue = float(rng.uniform(*HUE))
    row, column = int(rng.integers(side)), int(rng.integers(side))
    return Strong(box, flip, brightness, contrast, saturation, hue, row, column)


def _box(height: int, width: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Top, left, height and width of the crop."""
    for _ in range(ATTEMPTS):
        area = height * width * rng.uniform(*SCALE)
        ratio = math.exp(rng.uniform(math.log(RATIO[0]), math.log(RATIO[1])))
        h, w = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
        if 0 < h <= height and 0 < w <= width:
            top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
            return top, left, h, w
    h, w = min(height, round(width / RATIO[0])), min(width, round(height * RATIO[1]))
    return (height - h) // 2, (width - w) // 2, h, w


def rendered(pixels: NDArray[np.uint8], drawn: Strong, side: int) -> NDArray[np.uint8]:
    """The square before its flip."""
    from PIL import Image, ImageEnhance

    top, left, height, width = drawn.box
    picture = Image.fromarray(pixels[top : top + height, left : left + width])
    picture = picture.resize((side, side), Image.Resampling.BILINEAR)
    picture = ImageEnhance.Brightness(picture).enhance(drawn.brightness)
    picture = ImageEnhance.Contrast(picture).enhance(drawn.contrast)
    picture = ImageEnhance.Color(picture).enhance(drawn.saturation)
    hsv = np.array(picture.convert("HSV"))
    hsv[..., 0] += np.uint8(round(drawn.hue * 255) % 256)  # wraps, as hues do
    square = np.array(Image.frombytes("HSV", (side, side), hsv.tobytes()).convert("RGB"))
    half = side // 4
    top, left = max(0, drawn.row - half), max(0, drawn.column - half)
    square[top : drawn.row + half, left : drawn.column + half] = GREY
    return square
