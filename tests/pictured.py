"""Pictures that look like photographs to a decoder, in every format that data comes in."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

THINGS = ("kite", "horse", "lorry", "cake", "lamp", "bridge", "boat", "bear", "umbrella", "clock")
PLACES = ("on a beach", "in a kitchen", "by a road", "under trees", "at night", "in the snow", "in")


class Photo(NamedTuple):
    """A JPEG of its own size and colours, with two captions."""

    name: str
    content: bytes
    captions: tuple[str, str]


def photo(number: int) -> Photo:
    """Soft light, a thing in front, grain: no two alike, even as thumbnails."""
    rng = np.random.default_rng(number)
    width, height = (int(side) for side in rng.integers(24, 60, size=2))
    light = Image.fromarray(rng.integers(0, 256, (3, 4, 3), dtype=np.uint8))
    scene = light.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (int(side) for side in rng.integers(0, 12, size=2))
    colour = tuple(int(value) for value in rng.integers(0, 256, size=3))
    ImageDraw.Draw(scene).ellipse((left, top, left + 11, top + 9), fill=colour)
    grain = rng.normal(0, 6, (height, width, 3))
    pixels = (np.asarray(scene) + grain).clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    what, where = THINGS[number % 10], PLACES[number % 7]
    captions = f"a {what} {where}, number {number}", f"view {number}: one {what} seen {where}"
    return Photo(f"{number:06d}.jpg", buffer.getvalue(), captions)


def photos(n: int) -> list[Photo]:
    return [photo(number) for number in range(n)]


def write_pictures(root: Path, taken: list[Photo]) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for one in taken:
        (root / one.name).write_bytes(one.content)


def write_folder(
    root: Path, taken: list[Photo], form: str = "jsonl", several: bool = False
) -> Path:
    """An imagefolder, one caption a picture or a list of them."""
    write_pictures(root, taken)
    texts = [list(one.captions) if several else one.captions[0] for one in taken]
    if form == "jsonl":
        rows = [{"file_name": o.name, "text": t} for o, t in zip(taken, texts, strict=True)]
        (root / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return root
    with (root / "metadata.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file_name", "text"])
        for one, text in zip(taken, texts, strict=True):
            table.writerow([one.name, json.dumps(text) if several else text])
    return root


def annotations(taken: list[Photo]) -> dict[str, Any]:
    """COCO's captions file: image ids that are no row numbers, captions in no order of images."""
    images = [
        {"id": 500 + 7 * i, "file_name": one.name, "height": 1, "width": 1, "license": 1}
        for i, one in enumerate(taken)
    ]
    said = [
        {"id": 10_000 * k + i, "image_id": 500 + 7 * i, "caption": one.captions[k]}
        for k in (0, 1)
        for i, one in enumerate(taken)
    ]
    return {"info": {}, "licenses": [], "images": images, "annotations": said}


def write_coco(root: Path, taken: list[Photo], name: str = "val2017") -> Path:
    """The layout of the archives; returns the annotation file."""
    write_pictures(root / name, taken)
    (root / "annotations").mkdir()
    file = root / "annotations" / f"captions_{name}.json"
    file.write_text(json.dumps(annotations(taken)))
    return file


def write_parquet(folder: Path, taken: list[Photo], shards: int = 2, split: str = "train") -> Path:
    """Shards as the hub has them, pictures embedded, the types in the schema."""
    import datasets
    import pyarrow as pa
    from pyarrow import parquet

    folder.mkdir(parents=True, exist_ok=True)
    kinds = datasets.Features({"image": datasets.Image(), "text": datasets.Value("string")})
    for k in range(shards):
        some = taken[k * len(taken) // shards : (k + 1) * len(taken) // shards]
        rows = {
            "image": [{"bytes": one.content, "path": one.name} for one in some],
            "text": [one.captions[0] for one in some],
        }
        table = pa.Table.from_pydict(rows, schema=kinds.arrow_schema)
        parquet.write_table(table, folder / f"{split}-{k:05d}-of-{shards:05d}.parquet")
    return folder
