"""The embedded data set is complete, licensed, and what it says it is."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.data import tiles
from bench.errors import OfflineError

COPYRIGHT = "92221b93f239fe24eafa6ad50bc9cb5ce677ed130b6a9de1c114e8f7aa991ba0"
PIXELS = "0a98a7cc058c5a9f857f1e4059009e6e148898778e2c76c846443691b1efb4d5"


def test_there_are_2735_pairs_with_distinct_captions_and_ids() -> None:
    pairs = tiles.pairs()
    assert len(pairs) == tiles.count() == len(tiles.pixels()) == 2735
    assert len(set(pairs.captions)) == len(set(pairs.ids)) == 2735
    assert pairs.captions == pairs.originals
    assert min(len(caption.split()) for caption in pairs.captions) >= 3


def test_content_is_the_published_one() -> None:
    assert hashlib.sha256(tiles.pixels().tobytes()).hexdigest() == PIXELS
    first, last = tiles.pairs().select(["brazier", "t_tree_hickory_dead"]).captions
    assert first.startswith("brazier: A large metal stand used to contain a fire.")
    assert last.startswith("dead hickory tree: The dead remnants")


def test_pictures_come_out_as_rgb_and_match_their_rows() -> None:
    pairs = tiles.pairs().select(tiles.pairs().ids[::97])
    for row, pair in zip(tiles.pixels()[::97], pairs, strict=True):
        assert (pair.image.mode, pair.image.size) == ("RGB", (32, 32))
        assert np.array_equal(np.asarray(pair.image), row)


def test_changing_a_returned_picture_changes_nothing() -> None:
    image = tiles.pairs().image("brazier")
    before = image.tobytes()
    image.putpixel((0, 0), (1, 2, 3))
    assert tiles.pairs().image("brazier").tobytes() == before


def test_licence_and_credits_lie_beside_the_data() -> None:
    copyright_ = (tiles.FOLDER / "COPYRIGHT-debian.txt").read_bytes()
    assert hashlib.sha256(copyright_).hexdigest() == COPYRIGHT
    assert b"CREATIVE COMMONS" in copyright_.upper()
    assert "Mshock" in (tiles.FOLDER / "CREDIT-MshockXotto.txt").read_text()
    readme = (tiles.FOLDER / "README.md").read_text()
    for word in (tiles.LICENCE, "COPYRIGHT-debian.txt", "CREDIT-MshockXotto.txt", "Changes made"):
        assert word in readme


def test_a_missing_file_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tiles, "FOLDER", tmp_path)
    with pytest.raises(OfflineError, match=r"pairs\.jsonl is missing; reinstall"):
        tiles.identity()


def test_the_builder_explains_itself() -> None:
    tool = Path(__file__).parents[2] / "tools" / "build_tiles.py"
    run = subprocess.run(
        [sys.executable, tool, "--help"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0
    assert "apt-get download cataclysm-dda-data" in run.stdout
    assert "dpkg-deb -x" in run.stdout
