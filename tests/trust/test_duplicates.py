"""The duplicate gate on sound splits, and with twins planted across."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
from PIL import Image

from bench.data import tiles
from bench.data.splits import make_split
from bench.rng import generator
from bench.trust.duplicates import duplicate_gate

TILES = tiles.pairs()
SPLIT = make_split(TILES, tiles.identity(), 0)


def test_splits_of_tiles_pass():
    gate = duplicate_gate(TILES, asdict(SPLIT))
    assert gate.passed
    assert gate.figures == {"pictures": 0, "captions": 0, "of_target": 0}


@pytest.mark.parametrize(
    ("part", "of_target"), [("holdouts", 7), ("shadow_members", 0), ("members", None)]
)
def test_near_duplicates_of_members_fail_wherever_else_they_lie(part, of_target):
    twins = dict(zip(getattr(SPLIT, part)[-7:], SPLIT.members[:7], strict=True))
    noise = generator("twins").normal(0, 2, (32, 32, 3))

    def opened(id_):
        if id_ not in twins:
            return TILES.image(id_)
        pixels = np.asarray(TILES.image(twins[id_])) + noise
        return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))

    gate = duplicate_gate(replace(TILES, open_image=opened), asdict(SPLIT))
    if of_target is None:  # twins on one side are no flaw
        assert gate.passed
    else:
        assert not gate.passed
        assert gate.figures == {"pictures": 7, "captions": 0, "of_target": of_target}


def test_equal_captions_fail_and_case_does_not_hide_them():
    words = dict(zip(TILES.ids, TILES.originals, strict=True))
    for member, other in zip(SPLIT.members[:3], SPLIT.holdouts[:3], strict=True):
        words[other] = words[member].upper().replace(" ", "  ") + "!"
    pairs = replace(TILES, originals=tuple(words[id_] for id_ in TILES.ids))
    gate = duplicate_gate(pairs, asdict(SPLIT))
    assert not gate.passed
    assert gate.figures == {"pictures": 0, "captions": 3, "of_target": 3}
