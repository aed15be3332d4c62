"""`coco:ANNOTATIONS.json`: COCO captions (Lin et al. 2014) in the format of their distribution.

`images` have an id and a file name, `annotations` an image id and a caption each. The pictures are
looked for where the archives put them: `captions_val2017.json` belongs to a folder `val2017`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.data.checked import stamp
from bench.data.folder import content
from bench.data.listing import Listing, Row, captions_of, names_of_files
from bench.data.pictures import RowError
from bench.errors import UsageError, ValidationError
from bench.paths import expanded

PREFIX = "captions_"


def listing(path: str | Path, images: str | None = None) -> Listing:
    """What the annotations list, images and captions in the order of the file."""
    file = expanded(path)
    told = _read(file)
    root = _folder(file, images)
    problems: list[tuple[int, str]] = []
    captions = _captions(file, told["annotations"], problems)
    rows: list[Row] = []
    ids: set[Any] = set()
    names: dict[str, Any] = {}
    wordless = 0
    for number, image in enumerate(told["images"]):
        try:
            id_ = _id(image, "id")
            name = names_of_files(image.get("file_name"), root.name)
            if id_ in ids:
                raise RowError("has an id that another image has; ids must differ")
            if name in names:
                raise RowError(f"'{name}' is the file of image {names[name]} already; keep one")
        except RowError as error:
            problems.append((number, f"{_where(file, 'image', image, number)}: {error}"))
            continue
        ids.add(id_)
        names[name] = id_
        if id_ in captions:
            where = f"{file}: image {id_}"
            rows.append(Row(number, where, name, tuple(captions[id_])))
        else:
            wordless += 1
    if not problems:
        _all_known(file, told["annotations"], ids)
    if not rows and not problems:
        raise ValidationError(f"{file} has no image with a caption")
    note = f"{wordless:,} pictures of {file.name} have no caption: left out"
    full = root.resolve()
    return Listing(
        title=str(file),
        kind="coco",
        rows=tuple(rows),
        read=lambda row: content(root, row.name),
        stamps=lambda drawn: [stamp(full / row.name) for row in drawn],
        problems=tuple(problems),
        notes=(note,) if wordless else (),
    )


def _read(file: Path) -> dict[str, list[dict[str, Any]]]:
    """Both lists, every element an object."""
    try:
        text = file.read_bytes().decode("utf-8")
        told: dict[str, Any] = json.loads(text)
    except FileNotFoundError:
        raise UsageError(f"no annotations at {file}; check the path after 'coco:'") from None
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read ({error.strerror}); give the JSON file of the captions"
        ) from None
    except UnicodeDecodeError:
        raise ValidationError(f"{file}: is not UTF-8; take the file as distributed") from None
    except json.JSONDecodeError as error:
        raise ValidationError(
            f"{file}:{error.lineno}: is not JSON ({error.msg}, column {error.colno}); take the "
            "file as distributed"
        ) from None
    except RecursionError:
        raise ValidationError(f"{file}: is not JSON that anybody could read") from None
    for key in ("images", "annotations"):
        if not isinstance(told, dict) or not isinstance(told.get(key), list):
            raise ValidationError(
                f"{file}: has no list '{key}'; COCO's captions_*.json has 'images' and "
                "'annotations'"
            )
        for number, entry in enumerate(told[key]):
            if not isinstance(entry, dict):
                raise ValidationError(f"{file}: number {number} of '{key}' is not an object")
    return told


def _captions(
    file: Path, annotations: list[dict[str, Any]], problems: list[tuple[int, str]]
) -> dict[Any, list[str]]:
    """Captions by the id of their image."""
    found: dict[Any, list[str]] = {}
    seen: set[Any] = set()
    for number, annotation in enumerate(annotations):
        try:
            id_, image = _id(annotation, "id"), _id(annotation, "image_id")
            if id_ in seen:
                raise RowError("has an id that another annotation has; ids must differ")
            seen.add(id_)
            found.setdefault(image, []).extend(captions_of(annotation, ("caption",)))
        except RowError as error:
            problems.append((number, f"{_where(file, 'annotation', annotation, number)}: {error}"))
    return found


def _all_known(file: Path, annotations: list[dict[str, Any]], images: set[Any]) -> None:
    for annotation in annotations:
        if annotation["image_id"] not in images:
            id_ = annotation["image_id"]
            typed = {str(one): one for one in images}.get(str(id_))
            hint = "take the file as distributed"
            if typed is not None:
                kinds = [json.dumps(one) for one in (typed, id_)]
                hint = f"the image's id is {kinds[0]} and not {kinds[1]}: write both alike"
            raise ValidationError(
                f"{file}: annotation {annotation['id']}: its image {id_} is not among the images; "
                f"{hint}"
            )


def _id(entry: dict[str, Any], key: str) -> int | str:
    id_ = entry.get(key)
    if isinstance(id_, bool) or not isinstance(id_, int | str):
        raise RowError(f"has no '{key}' that is a number or a text")
    return id_


def _where(file: Path, what: str, entry: dict[str, Any], number: int) -> str:
    """An entry by its id, or by its place where it has none."""
    return f"{file}: {what} {entry['id']}" if "id" in entry else f"{file}: {what} number {number}"


def _folder(file: Path, images: str | None) -> Path:
    """The folder of the pictures, as given or as the archives lay it."""
    if images is not None:
        given = expanded(images)
        if not given.is_dir():
            raise UsageError(f"coco: images={images} is no folder; give that of the pictures")
        return given
    name = file.stem.removeprefix(PREFIX)
    usual = [
        file.parent.parent / name,
        file.parent / name,
        file.parent.parent / "images" / name,
        file.parent / "images" / name,
    ]
    for folder in usual:
        if folder.is_dir():
            return folder
    raise UsageError(
        f"coco: no folder '{name}' of pictures beside {file} (looked for {usual[0]} and "
        f"{usual[1]}); name it: coco:{file},images=FOLDER"
    )
