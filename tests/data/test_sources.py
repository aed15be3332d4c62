"""Names of data sets: what is known, what is refused and how, and that looking is cheap."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from bench.data import tiles
from bench.data.sources import list_sources, open_source
from bench.errors import UsageError

LIGHT = """
import json, sys
before = set(sys.modules)
import bench.data.sources as sources, bench.data.splits
opened = sources.open_source("tiles")
sources.list_sources()
captions = opened.pairs().captions
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_opening_tiles_is_light() -> None:
    run = subprocess.run(
        [sys.executable, "-c", LIGHT],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    loaded = set(json.loads(run.stdout))
    assert not loaded & {"PIL", "torch", "pandas", "scipy", "transformers", "diffusers"}


def test_identity_of_tiles_is_that_of_the_files() -> None:
    source = open_source("tiles")
    assert source.identity == tiles.identity() == open_source("tiles").identity
    assert len(source.identity) == 64
    assert (source.label, source.resolution, source.licence) == ("tiles", 32, "CC-BY-SA-3.0")
    with pytest.raises(FrozenInstanceError):
        source.identity = ""  # type: ignore[misc]


def test_scenes_take_a_seed_and_a_count() -> None:
    plain, other = open_source("scenes:n=5"), open_source("scenes:n=5,seed=4")
    assert len(plain.pairs()) == 5
    assert plain.pairs().ids != other.pairs().ids
    assert plain.identity != other.identity
    assert plain.identity == open_source("scenes:seed=0,n=5").identity
    assert (plain.name, plain.label) == ("scenes:n=5", "scenes")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("tile", "no data set named 'tile'; did you mean tiles?"),
        ("", "no data set named ''; known: folder, scenes, tiles"),
        ("pokemon", "no data set named 'pokemon'; .*bench list data"),
        ("tiles:seed=1", "'tiles' takes no parameters"),
        ("scenes:sed=1", "no parameter of data set 'scenes' named 'sed'; did you mean seed?"),
        ("scenes:seed=-1", "'seed' must be a whole number, not '-1'"),
        ("scenes:n", "'n' must be a whole number, not ''"),
        ("folder", "'folder' needs a path: folder:PATH"),
        ("folder:", "'folder' needs a path: folder:PATH"),
    ],
)
def test_wrong_names_are_usage_errors(spec: str, expected: str) -> None:
    with pytest.raises(UsageError, match=expected.replace("?", r"\?")):
        open_source(spec)


def test_the_list_says_what_there_is() -> None:
    listed = {info.name.split(":")[0].split("[")[0]: info for info in list_sources()}
    assert set(listed) == {"tiles", "scenes", "folder"}
    assert listed["tiles"].pairs == 2735
    assert listed["tiles"].licence == "CC-BY-SA-3.0"
    assert listed["folder"].pairs is None
    assert all(info.about and "\n" not in info.about for info in listed.values())
