"""COCO captions as they are distributed, and what is refused of others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pictured import annotations, photos, write_coco

from bench.data.sources import open_source
from bench.errors import UsageError, ValidationError


def test_the_layout_of_the_archives(tmp_path: Path) -> None:
    taken = photos(5)
    source = open_source(f"coco:{write_coco(tmp_path, taken)}")
    pairs = source.pairs()
    assert pairs.ids == tuple(one.name for one in taken)
    assert pairs.captions == tuple(one.captions[0] for one in taken)
    assert source.label == "val2017"
    assert source.facts is not None
    assert (source.facts.pictures, source.facts.captions) == (5, 10)


def test_pictures_lie_where_they_are_said_to(tmp_path: Path) -> None:
    file = write_coco(tmp_path, photos(3))
    elsewhere = (tmp_path / "val2017").rename(tmp_path / "my, pictures")
    with pytest.raises(UsageError, match=r"no folder 'val2017' of pictures beside .*images=FOLDER"):
        open_source(f"coco:{file}")
    with pytest.raises(UsageError, match=r"images=.*/nowhere is no folder"):
        open_source(f"coco:{file},images={tmp_path}/nowhere")
    assert len(open_source(f"coco:{file},images={elsewhere},n=2").pairs()) == 2


def test_a_picture_without_caption_is_left_out_and_said(tmp_path: Path) -> None:
    file = write_coco(tmp_path, photos(3))
    told = annotations(photos(3))
    told["annotations"] = [a for a in told["annotations"] if a["image_id"] != 507]
    file.write_text(json.dumps(told))
    source = open_source(f"coco:{file}")
    assert source.pairs().ids == ("000000.jpg", "000002.jpg")
    assert any("1 pictures of captions_val2017.json have no caption" in n for n in source.notes)


Told = dict[str, Any]
BROKEN: dict[str, tuple[Callable[[Told], object], str]] = {
    "no images": (lambda t: t.pop("images"), "has no list 'images'; COCO's captions"),
    "no annotations": (lambda t: t.pop("annotations"), "has no list 'annotations'"),
    "images no list": (lambda t: t.update(images={}), "has no list 'images'"),
    "an image that is a text": (
        lambda t: t["images"].append("x"),
        "number 3 of 'images' is not an object",
    ),
    "no image id": (
        lambda t: t["images"][1].pop("id"),
        "image number 1: has no 'id' that is a number or a text",
    ),
    "no file name": (lambda t: t["images"][1].pop("file_name"), "image 507: has no 'file_name'"),
    "image id twice": (
        lambda t: t["images"][2].update(id=507),
        "image 507: has an id that another image has",
    ),
    "file name twice": (
        lambda t: t["images"][2].update(file_name="./000001.jpg"),
        "image 514: '000001.jpg' is the file of image 507 already",
    ),
    "annotation id twice": (
        lambda t: t["annotations"][1].update(id=0),
        "annotation 0: has an id that another annotation has",
    ),
    "no image of that id": (
        lambda t: t["annotations"][1].update(image_id=9),
        "annotation 1: its image 9 is not among the images",
    ),
    "ids of two types": (
        lambda t: [a.update(image_id=str(a["image_id"])) for a in t["annotations"]],
        'among the images; the image\'s id is 500 and not "500": write both alike',
    ),
    "no image id in an annotation": (
        lambda t: t["annotations"][1].pop("image_id"),
        "annotation 1: has no 'image_id'",
    ),
    "boxes instead of captions": (
        lambda t: [a.update(bbox=[1]) or a.pop("caption") for a in t["annotations"]],
        r"annotation 0: has no caption \(found 'id', 'image_id', 'bbox'\); add the key 'caption' "
        r"\(and 5 more such lines\)",
    ),
    "an empty caption": (
        lambda t: t["annotations"][1].update(caption=" \n"),
        "annotation 1: 'caption' is empty",
    ),
    "a number for a caption": (
        lambda t: t["annotations"][1].update(caption=3),
        "annotation 1: 'caption' is 3",
    ),
    "an absolute path": (
        lambda t: t["images"][1].update(file_name="/etc/hostname"),
        "image 507: '/etc/hostname' lies outside the folder",
    ),
    "a path upwards": (
        lambda t: t["images"][1].update(file_name="../annotations/captions_val2017.json"),
        "image 507: '../annotations/.*' lies outside the folder",
    ),
    "half a character in a name": (
        lambda t: t["images"][1].update(file_name="\ud83d.jpg"),
        "image 507: has a file_name with half a character",
    ),
    "half a character in a caption": (
        lambda t: t["annotations"][1].update(caption="\ud83d"),
        "annotation 1: 'caption' holds half a character",
    ),
    "a missing picture": (
        lambda t: t["images"][1].update(file_name="gone.jpg"),
        "image 507: file 'gone.jpg' is missing",
    ),
    "nothing at all": (lambda t: t.update(images=[], annotations=[]), "has no image with a cap"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_annotations_are_refused_in_one_line(case: str, tmp_path: Path) -> None:
    file = write_coco(tmp_path, photos(3))
    told = annotations(photos(3))
    break_it, expected = BROKEN[case]
    break_it(told)
    file.write_text(json.dumps(told))
    with pytest.raises(ValidationError, match=expected) as caught:
        open_source(f"coco:{file}")
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"images": [\n{,', r":2: is not JSON \(.*column 2\); take the file as distributed"),
        (b"[1, 2]", ": has no list 'images'"),
        (b"", ":1: is not JSON"),
        ("\u00fc".encode("latin1"), ": is not UTF-8"),
        (b"[" * 200_000, ": is not JSON that anybody could read"),
    ],
)
def test_files_that_are_no_annotations(content: bytes, told: str, tmp_path: Path) -> None:
    file = write_coco(tmp_path, photos(2))
    file.write_bytes(content)
    with pytest.raises(ValidationError, match=told):
        open_source(f"coco:{file}")


def test_a_wrong_path_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no annotations at .*gone.json"):
        open_source(f"coco:{tmp_path}/gone.json")
    with pytest.raises(UsageError, match="cannot be read .*give the JSON file"):
        open_source(f"coco:{tmp_path}")


def test_a_broken_picture_is_told_by_its_image(tmp_path: Path) -> None:
    file = write_coco(tmp_path, photos(3))
    (tmp_path / "val2017" / "000001.jpg").write_bytes(photos(2)[1].content[:-300])
    with pytest.raises(ValidationError, match=r"image 507: '000001.jpg' cannot be decoded"):
        open_source(f"coco:{file}")
