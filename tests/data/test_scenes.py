"""What a scene's caption says is what its picture shows, and nothing depends on order or count."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from scipy import ndimage

from bench.data import scenes
from bench.data.scenes import COLOURS, PLACES, SHAPES, SIZES

CAPTION = re.compile(
    rf"a (?P<size>{'|'.join(SIZES)}) (?P<colour>{'|'.join(COLOURS)}) "
    rf"(?P<kind>{'|'.join(SHAPES)}) at the (?P<place>{'|'.join(sorted(PLACES, key=len)[::-1])})\b"
)
BACKGROUND = re.compile(r", on an? (\w+) background$")
PAIRS = scenes.pairs(seed=3, n=400)


@pytest.mark.parametrize("id_", PAIRS.ids[::4])
def test_caption_is_exact(id_: str) -> None:
    """Reads the caption, then finds each shape it names, and nothing else, in the picture."""
    caption = PAIRS.select([id_]).captions[0]
    picture = np.asarray(PAIRS.image(id_))
    told = [found.groupdict() for found in CAPTION.finditer(caption)]
    background = BACKGROUND.search(caption)
    assert background
    assert len(told) == caption.count(" at the ") > 0
    ink = (picture != COLOURS[background[1]]).any(axis=2)
    assert ink.mean() < 0.6
    cells = {PLACES.index(shape["place"]): shape for shape in told}
    assert len(cells) == len(told)
    for cell, place in enumerate(PLACES):
        rows = slice(11 * (cell // 3), 11 * (cell // 3) + 11)
        columns = slice(11 * (cell % 3), 11 * (cell % 3) + 11)
        seen = ink[rows, columns]
        assert seen.any() == (cell in cells), place
        if cell in cells:
            _check(cells[cell], picture[rows, columns][seen], seen)


def _check(told: dict[str, str], colours: np.ndarray, seen: np.ndarray) -> None:
    assert (colours == COLOURS[told["colour"]]).all()
    assert ndimage.label(seen, np.ones((3, 3)))[1] == 1, "one piece"
    height, width = (np.ptp(np.nonzero(seen)[axis]) + 1 for axis in (0, 1))
    assert max(height, width) == {"small": 5, "large": 9}[told["size"]]
    if told["kind"] in ("bar", "pole"):
        assert (width > height) == (told["kind"] == "bar")
    else:
        assert height == width
    filled = seen.sum() / (height * width)
    low, high = {
        "circle": (0.7, 0.9),
        "square": (1, 1),
        "triangle": (0.4, 0.65),
        "diamond": (0.45, 0.6),
        "cross": (0.3, 0.6),
        "bar": (1, 1),
        "pole": (1, 1),
    }[told["kind"]]
    assert low <= filled <= high, (told, filled)


def test_shapes_of_one_size_look_different() -> None:
    for size in SIZES:
        drawn = {
            scenes.draw(
                scenes.Scene("white", (scenes.Shape(size, "black", kind, "centre", 16, 16),))
            ).tobytes()
            for kind in SHAPES
        }
        assert len(drawn) == len(SHAPES)


def test_scenes_depend_on_seed_and_index_only() -> None:
    few, many = scenes.pairs(seed=1, n=10), scenes.pairs(seed=1, n=50)
    assert few.ids == many.ids[:10]
    assert few.captions == many.captions[:10]
    assert [few.image(i).tobytes() for i in few.ids] == [
        many.image(i).tobytes() for i in reversed(many.ids[:10])
    ][::-1]
    assert scenes.pairs(seed=2, n=10).captions != few.captions
    assert scenes.identity(1, 10) != scenes.identity(1, 11) != scenes.identity(2, 11)


def test_identity_of_the_first_scenes_is_recorded() -> None:
    """A change here means other pictures or captions under the same name: say so in the log."""
    assert scenes.identity(0, 100)[:16] == "a6b71b969a0af468"


def test_captions_are_varied_and_grammatical() -> None:
    captions = scenes.pairs().captions
    assert len(captions) == 3000
    assert max(Counter(captions).values()) <= 3
    assert len(set(captions)) > 2950
    assert not [c for c in captions if re.search(r"\ba [aeiou]|\ban [^aeiou]", c.split(", on ")[1])]
    for words in (COLOURS, SHAPES, SIZES, PLACES):
        share = Counter(w for c in captions for w in words if f" {w} " in c or f" {w}," in c)
        assert set(share) == set(words)
