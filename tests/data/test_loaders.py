"""One set of photographs through every loader: the same pairs, whatever the format."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pictured import photos, write_coco, write_folder, write_parquet
from PIL import Image

from bench.data.sources import open_source
from bench.data.splits import clusters, make_split
from bench.errors import UsageError, ValidationError

LOADERS: dict[str, Callable[[Path, list], str]] = {
    "jsonl": lambda root, taken: f"folder:{write_folder(root, taken)}",
    "csv": lambda root, taken: f"folder:{write_folder(root, taken, 'csv')}",
    "several in jsonl": lambda root, taken: f"folder:{write_folder(root, taken, several=True)}",
    "several in csv": lambda root, taken: f"folder:{write_folder(root, taken, 'csv', True)}",
    "coco": lambda root, taken: f"coco:{write_coco(root, taken)}",
    "shards": lambda root, taken: f"parquet:{write_parquet(root, taken)}",
    "one file": lambda root, taken: (
        f"parquet:{write_parquet(root, taken, 1)}/train-00000-of-00001.parquet"
    ),
    "hub": lambda root, taken: f"hub:{write_parquet(root / 'data', taken).parent}",
    "hub imagefolder": lambda root, taken: f"hub:{write_folder(root / 'train', taken).parent}",
}


@pytest.mark.parametrize("loader", LOADERS)
def test_every_loader_gives_the_same_pairs(loader: str, tmp_path: Path) -> None:
    taken = photos(20)
    plain = open_source(f"folder:{write_folder(tmp_path / 'plain', taken)}").pairs()
    source = open_source(LOADERS[loader](tmp_path / "own", taken))
    pairs = source.pairs()
    assert pairs.captions == plain.captions
    for ours, theirs in zip(pairs.ids, plain.ids, strict=True):
        assert np.array_equal(np.asarray(pairs.image(ours)), np.asarray(plain.image(theirs)))
    assert len(source.identity) == 64
    assert source.resolution == open_source(f"folder:{tmp_path / 'plain'}").resolution


def test_a_list_s_first_caption_is_the_default_and_said(tmp_path: Path) -> None:
    taken = photos(6)
    source = open_source(f"folder:{write_folder(tmp_path / 'a', taken, several=True)}")
    (note,) = source.notes
    assert note.startswith("6 pictures have several captions: the first of each is used")
    plain = open_source(f"folder:{write_folder(tmp_path / 'b', taken)}")
    assert source.identity == plain.identity, "the same pairs, the same data"
    assert plain.notes == ()


@pytest.mark.parametrize("loader", ["several in jsonl", "coco"])
def test_every_caption_may_be_a_pair_and_a_picture_stays_on_one_side(
    loader: str, tmp_path: Path
) -> None:
    taken = photos(40)
    spec = LOADERS[loader](tmp_path / "own", taken)
    first, source = open_source(spec), open_source(f"{spec},captions=all")
    pairs = source.pairs()
    assert len(pairs) == 80
    assert pairs.ids[:2] == ("000000.jpg#0", "000000.jpg#1")
    assert pairs.captions[:2] == taken[0].captions
    assert source.identity != first.identity
    assert any("intervals are too narrow" in note for note in source.notes)
    for seed in range(3):
        split = make_split(pairs, source.identity, seed)
        sides: dict[str, set[str]] = {}
        for part in ("members", "holdouts", "shadow_members", "shadow_holdouts", "reference"):
            for id_ in getattr(split, part):
                sides.setdefault(id_.partition("#")[0], set()).add(part)
        assert sides
        assert all(len(parts) == 1 for parts in sides.values())


def test_pairs_of_one_picture_hold_together_by_its_id_alone(tmp_path: Path) -> None:
    """Even if no thumbnail showed it: here every opening gives another picture."""
    root = write_folder(tmp_path, photos(12), several=True)
    pairs = open_source(f"folder:{root},captions=all").pairs()
    rng = np.random.default_rng(0)
    noise = replace(
        pairs, open_image=lambda _: Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8))
    )
    assert clusters(noise) == tuple(zip(pairs.ids[::2], pairs.ids[1::2], strict=True))
    assert clusters(replace(noise, pictures=())) == tuple((id_,) for id_ in pairs.ids)


@pytest.mark.parametrize("loader", ["jsonl", "coco", "shards"])
def test_a_draw_is_fixed_and_fewer_are_among_more(loader: str, tmp_path: Path) -> None:
    spec = LOADERS[loader](tmp_path / "own", photos(30))
    whole = open_source(spec).pairs().ids
    drawn = {n: open_source(f"{spec},n={n}") for n in (5, 12)}
    few, more = (drawn[n].pairs().ids for n in (5, 12))
    assert (len(few), len(more)) == (5, 12)
    assert set(few) < set(more) < set(whole)
    assert list(more) == [id_ for id_ in whole if id_ in more], "in the order of the data"
    assert list(few) != list(whole[:5])
    assert open_source(f"{spec},n=5").identity == drawn[5].identity != drawn[12].identity
    assert drawn[5].facts is not None
    assert (drawn[5].facts.pictures, drawn[5].facts.drawn) == (30, 5)
    with pytest.raises(ValidationError, match="has 30 pictures, fewer than n=31"):
        open_source(f"{spec},n=31")


def test_pictures_that_are_not_drawn_are_not_read(tmp_path: Path) -> None:
    root = write_folder(tmp_path, photos(10))
    kept = set(open_source(f"folder:{root},n=4").pairs().ids)
    for path in root.glob("*.jpg"):
        if path.name not in kept:
            path.unlink()
    assert set(open_source(f"folder:{root},n=4").pairs().ids) == kept


def test_a_card_deals_its_sizes_and_is_part_of_the_identity(tmp_path: Path) -> None:
    root = write_folder(tmp_path, photos(40))
    with pytest.raises(ValidationError, match="has 40 pairs, and card pokemon needs 800; leave"):
        open_source(f"folder:{root},card=pokemon")
    with pytest.raises(UsageError, match="no data card named 'pokemn'; did you mean pokemon"):
        open_source(f"folder:{root},card=pokemn")
    with pytest.raises(UsageError, match="card laion-mi deals no split"):
        open_source(f"folder:{root},card=laion-mi")


def test_coco_s_own_file_follows_its_card_where_there_is_enough(tmp_path: Path) -> None:
    file = write_coco(tmp_path, photos(8))
    source = open_source(f"coco:{file}")
    assert source.sizes is None
    assert source.label == "val2017"
    assert any("8 pictures are fewer than the 30,000 of card coco" in n for n in source.notes)
    assert not any("card" in note for note in open_source(f"coco:{file},card=none").notes)
    other = file.rename(file.with_name("captions_mine.json"))
    (tmp_path / "val2017").rename(tmp_path / "mine")
    assert not any("card" in note for note in open_source(f"coco:{other}").notes)


@pytest.mark.parametrize(
    ("asked", "part", "pictures", "followed"),
    [
        ("coco:x.json", "captions_train2017", 118_287, "coco"),
        ("coco:x.json", "captions_val2017", 5_000, None),
        ("coco:x.json", "captions_mine", 118_287, None),
        ("coco:x.json,card=none", "captions_train2017", 118_287, None),
        ("folder:x", "captions_train2017", 118_287, None),
        ("folder:x,card=flickr", "x", 31_783, "flickr"),
    ],
)
def test_when_a_card_is_followed(
    asked: str, part: str, pictures: int, followed: str | None
) -> None:
    from bench.data.arguments import parse
    from bench.data.own import OPTIONS, followed_card

    card, notes = followed_card(parse(asked, OPTIONS), part, pictures)
    assert (card and card.name) == followed
    assert bool(notes) == (part == "captions_val2017")


def test_a_picture_that_vanishes_from_a_table_is_one_clear_line(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "train", photos(4))
    pairs = open_source(f"hub:{tmp_path}").pairs()
    (folder / "000002.jpg").unlink()
    with pytest.raises(ValidationError, match=r"row 2: 000002: can no longer be read"):
        pairs.image("000002")


def test_what_is_kept_of_one_place_is_not_another_s(tmp_path: Path) -> None:
    for name, taken in (("a", photos(6)), ("b", photos(8)[2:])):
        for path in write_folder(tmp_path / name, taken).iterdir():
            os.utime(path, (1_000_000_000, 1_000_000_000))
    identities = [open_source(f"folder:{tmp_path / name}").identity for name in "abab"]
    assert identities[:2] == identities[2:]
    assert identities[0] != identities[1]
    assert json.loads((tmp_path / "a" / "metadata.jsonl").read_text().splitlines()[0])
