"""The head of a caption's noun phrase."""

from __future__ import annotations

import pytest

from bench.text.head import head


@pytest.mark.parametrize(
    ("caption", "said"),
    [
        ("A man riding a wave on top of a surfboard.", "man"),
        ("Two dogs playing in the grass", "dogs"),
        ("a large green triangle at the top right, on a grey background", "triangle"),
        ("A small, sharp knife with a handle", "knife"),
        ("A black and white cat and a dog", "cat"),
        ("A dog and a cat", "dog"),
        ("Cats.", "cats"),
        ("spoon: Do not try to bend the spoon.", "spoon"),
        ("huge black widow spider: A black mutant spider", "spider"),
        ("radio (on): This portable radio is turned on", "radio"),
        ("cast-iron frying pan: A pan.", "pan"),
        ("amethyst and gold ring: A gold ring", "ring"),
        ("pair of turnout boots: A pair of rubber boots", "boots"),
        ("a set of hard plastic wheels", "wheels"),
        ("a bag", "bag"),
        ("hollow, transparent cube: It is odd.", "cube"),
        ("RM42 fighting knife: This sturdy knife", "knife"),
        ("Mossberg 500: The Mossberg 500 is a series of shotguns, often acquired", "shotguns"),
        ("M1 Garand: A .30-06 battle rifle, developed to replace", "rifle"),
        ("Luty SMG: 9x19mm: A Luty SMG", "Luty SMG"),
        ("A Beginner's Guide to Greater Magic", "A Beginner's Guide to"),
        ("", ""),
        ("...", "..."),
    ],
)
def test_head(caption, said):
    assert head(caption) == said
