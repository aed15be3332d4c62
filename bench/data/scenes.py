"""The procedural data set `scenes`: coloured shapes whose captions say exactly what is drawn.

Every scene is drawn independently from (seed, index), so members and hold-outs are i.i.d. by
construction: an attack on a model that was never trained on them must give AUC 0.5. That
calibrates the instruments; it is no headline. More scenes never change the ones before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.data.pairs import Pairs
from bench.rng import generator

if TYPE_CHECKING:
    from PIL.Image import Image

RESOLUTION = 32
LICENCE = "CC0-1.0"
COUNT = 3_000

COLOURS = {
    "red": (214, 40, 40),
    "orange": (245, 133, 24),
    "yellow": (250, 214, 30),
    "green": (46, 150, 60),
    "cyan": (40, 200, 210),
    "blue": (38, 80, 200),
    "purple": (128, 50, 160),
    "pink": (246, 140, 190),
    "brown": (120, 72, 36),
    "black": (16, 16, 16),
    "grey": (136, 136, 136),
    "white": (250, 250, 250),
}
SIZES = {"small": 2.5, "large": 4.5}
"""Half the width of a shape, in pixels."""
PLACES = (
    *("top left", "top", "top right"),
    *("left", "centre", "right"),
    *("bottom left", "bottom", "bottom right"),
)
"""The cells of a 3 x 3 grid in reading order; a cell holds at most one shape."""
Mask = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.bool_]]
SHAPES: dict[str, Mask] = {
    "circle": lambda x, y: np.asarray(x**2 + y**2 <= 1),
    "square": lambda x, y: np.maximum(abs(x), abs(y)) <= 1,
    "triangle": lambda x, y: (abs(y) <= 1) & (abs(x) <= (y + 1) / 2 + 0.05),
    "diamond": lambda x, y: np.asarray(abs(x) + abs(y) <= 1),
    "cross": lambda x, y: (np.minimum(abs(x), abs(y)) <= 0.25) & (np.maximum(abs(x), abs(y)) <= 1),
    "bar": lambda x, y: (abs(x) <= 1) & (abs(y) <= 0.45),
    "pole": lambda x, y: (abs(x) <= 0.45) & (abs(y) <= 1),
}
"""Which points of [-1, 1] x [-1, 1] a shape covers; y grows downwards; all cover the middle."""


class Shape(NamedTuple):
    """One shape of a scene; `x` and `y` are the pixel of its middle."""

    size: str
    colour: str
    kind: str
    place: str
    x: int
    y: int


class Scene(NamedTuple):
    """What is drawn: shapes in reading order on a plain background."""

    background: str
    shapes: tuple[Shape, ...]

    @property
    def caption(self) -> str:
        """The exact description, up to the pixel by which a shape is off the middle of its cell."""
        parts = [f"a {s.size} {s.colour} {s.kind} at the {s.place}" for s in self.shapes]
        listed = " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
        return f"{listed}, on {_a(self.background)} background"


def _a(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def scene(seed: int, index: int) -> Scene:
    """The scene with this number; it depends on (seed, index) only."""
    rng = generator("scenes", seed, index)
    background = str(rng.choice(list(COLOURS)))
    colours = [name for name in COLOURS if name != background]
    cells = sorted(rng.choice(9, size=rng.choice(3, p=[0.2, 0.4, 0.4]) + 1, replace=False))
    shapes = []
    for cell in cells:
        size, colour = str(rng.choice(list(SIZES))), str(rng.choice(colours))
        kind, (x, y) = str(rng.choice(list(SHAPES))), rng.integers(-1, 1, size=2)
        place = (int(x) + 5 + 11 * (int(cell) % 3), int(y) + 5 + 11 * (int(cell) // 3))
        shapes.append(Shape(size, colour, kind, PLACES[cell], *place))
    return Scene(background, tuple(shapes))


def draw(what: Scene) -> NDArray[np.uint8]:
    """The picture of a scene, shape (32, 32, 3), in pure named colours without blending."""
    canvas = np.empty((RESOLUTION, RESOLUTION, 3), dtype=np.uint8)
    canvas[:] = COLOURS[what.background]
    y, x = np.mgrid[:RESOLUTION, :RESOLUTION].astype(np.float64)
    for shape in what.shapes:
        half = SIZES[shape.size]
        canvas[SHAPES[shape.kind]((x - shape.x) / half, (y - shape.y) / half)] = COLOURS[
            shape.colour
        ]
    return canvas


@cache
def pairs(seed: int = 0, n: int = COUNT) -> Pairs:
    """The first n scenes of this seed."""
    scenes = {f"scene-{seed}-{index:05d}": scene(seed, index) for index in range(n)}
    captions = tuple(s.caption for s in scenes.values())

    def open_image(id_: str) -> Image:
        from PIL import Image

        return Image.fromarray(draw(scenes[id_]))

    return Pairs(tuple(scenes), captions, captions, open_image)


@cache
def identity(seed: int = 0, n: int = COUNT) -> str:
    """sha256 over ids, captions and pixels: whatever changes a picture changes it."""
    digest = hashlib.sha256(b"scenes\n")
    for index in range(n):
        what = scene(seed, index)
        digest.update(f"scene-{seed}-{index:05d}\n{what.caption}\n".encode())
        digest.update(draw(what).tobytes())
    return digest.hexdigest()
