"""Names of data sets: what is known, what is refused and how, and that looking is cheap."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from bench.data import tiles
from bench.data.arguments import Argument, parse
from bench.data.cards import CARDS
from bench.data.sources import OPTIONS, absolute, list_sources, open_source
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
    heavy = {"PIL", "torch", "pandas", "scipy", "transformers", "diffusers", "datasets", "pyarrow"}
    assert not loaded & heavy


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
        ("", "no data set named ''; known: coco, folder, hub, parquet, scenes, tiles"),
        ("foldr:x", "no data set named 'foldr'; did you mean folder?.*bench list data"),
        (
            "pokemon",
            "'pokemon' is a card and has no pictures; use it like --data parquet:PATH,card",
        ),
        ("flickr:x", "'flickr' is a card"),
        ("coco", "'coco' needs a file: coco:ANNOTATIONS.json .*bench show coco"),
        ("coco:", "'coco' needs a file: coco:ANNOTATIONS.json"),
        ("parquet:", "'parquet' needs a path: parquet:PATH"),
        ("hub", "'hub' needs a name: hub:NAME@REVISION"),
        ("scenes:seed=0,sed=1", "no option of data set 'scenes' named 'sed'; did you mean seed?"),
        ("scenes:n=5,n=6", "'scenes': 'n' is given twice"),
        (
            "folder:x,capt=all",
            "no option of data set 'folder' named 'capt'; did you mean captions",
        ),
        ("folder:x,captions=al", "no value of 'captions' for data set 'folder' named 'al'; did"),
        ("folder:x,n=0", "folder: 'n' must be a whole number, not '0'"),
        ("folder:x,n=1,n=2", "data set 'folder': 'n' is given twice"),
        ("hub:x/y,slit=test", "no option of data set 'hub' named 'slit'; did you mean split?"),
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
    cards = {f"card={name}" for name in CARDS}
    assert set(listed) == {"tiles", "scenes", "folder", "coco", "parquet", "hub"} | cards
    assert listed["tiles"].pairs == 2735
    assert listed["tiles"].licence == "CC-BY-SA-3.0"
    assert listed["folder"].pairs is None
    assert all(info.about and "\n" not in info.about for info in listed.values())


def test_options_are_read_from_the_right_and_a_path_may_hold_commas(tmp_path: Path) -> None:
    spec = "folder:/a, b,c=d,captions=all,n=5"
    (tmp_path / "x,y=z").mkdir()
    assert parse("folder:/a, b,captions=all,n=5", OPTIONS) == Argument(
        "folder", "/a, b", {"captions": "all", "n": "5"}
    )
    with pytest.raises(UsageError, match="no option of data set 'folder' named 'c'"):
        parse(spec, OPTIONS)
    assert parse(f"folder:{tmp_path}/x,y=z,n=5", OPTIONS).place == f"{tmp_path}/x,y=z"
    for text in ("tiles", "scenes:seed=1,n=3", "folder:/a,b,n=5", "hub:a/b@main"):
        assert str(parse(text, OPTIONS)) == text


def test_paths_are_made_absolute_and_names_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    for near, far in (
        ("folder:a,n=5", f"folder:{tmp_path}/a,n=5"),
        ("coco:x/c.json,images=p", f"coco:{tmp_path}/x/c.json,images={tmp_path}/p"),
        ("parquet:./t.parquet", f"parquet:{tmp_path}/t.parquet"),
        ("hub:own,split=test", f"hub:{tmp_path}/own,split=test"),
        ("hub:owner/name@v1", "hub:owner/name@v1"),
        ("scenes:n=5", "scenes:n=5"),
        ("tiles", "tiles"),
    ):
        assert absolute(near) == far
