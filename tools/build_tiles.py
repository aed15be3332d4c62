"""Rebuild `bench/zoo/tiles` from the Debian package cataclysm-dda-data 0.F-3-9.

    apt-get download cataclysm-dda-data=0.F-3-9
    python tools/build_tiles.py cataclysm-dda-data_0.F-3-9_all.deb --check

The package may also be given unpacked (`dpkg-deb -x PACKAGE.deb FOLDER`). Without `--check` the
files are written; with it they are compared with those that are shipped. Every pixel and every
letter follows from the rules below. Only `LEFT_OUT` is a plain list: most of these ids also name
a material, an effect, a calibre or a gate, and the order in which the first build met the files,
which decided what it dropped, is not recorded.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PACKAGE_SHA256 = "cd0c097169fe364fdb6bcdab77663d24920a063387ce2fbf1b5d3be01c141105"
GAME = Path("usr/share/games/cataclysm-dda")
ZOO = Path(__file__).parents[1] / "bench" / "zoo" / "tiles"
TILESETS = ("MshockXotto+", "UltimateCataclysm")
TYPES = frozenset(
    "AMMO ARMOR BIONIC_ITEM BOOK COMESTIBLE ENGINE GENERIC GUN GUNMOD MAGAZINE MONSTER TOOL "
    "TOOL_ARMOR WHEEL bionic furniture terrain vehicle_part".split()
)
UNFIT = re.compile("template|bug", re.IGNORECASE)
"""Marks templates and debug entries."""
LEFT_OUT = frozenset(
    "123ln 12mm 223 3006 300blk 308 700nx 9mm antifungal autoclave avgas beartrap biodiesel blood "
    "blunderbuss bone cac2powder charcoal cig contacts copper corpse_generic_human diesel "
    "f_curtain_open fetid_goop garlic gasoline glass holster iodine lamp_oil lead leather "
    "magnesium meat_cooked meth milk mon_broken_cyborg mon_zombie_flamer mosin44_ebr "
    "mosin91_30_ebr motor_oil mushroom nail paper plut_cell rock signal_flare solar_panel "
    "strong_antibiotic t_barndoor t_gates_control_metal t_gates_mech_control "
    "t_gates_mech_control_lab t_palisade_pulley tin tomato water weak_antibiotic wheat "
    "wire_mesh".split()
)
Object = dict[str, Any]
Pixels = NDArray[np.uint8]


class Tile(NamedTuple):
    """One usable sprite with its description."""

    tileset: str
    id: str
    type: str
    caption: str
    image: Pixels


class Sheet(NamedTuple):
    """A picture full of sprites of one size; sprites are numbered through all sheets of a set."""

    first: int
    image: Image.Image
    width: int
    height: int


def objects(game: Path) -> dict[str, list[Object]]:
    """Every game object by id (or by the name under which others copy it), core before mods."""
    found: dict[str, list[Object]] = {}
    for top in ("json", "mods"):
        for file in sorted((game / top).rglob("*.json"), key=str):
            content = json.loads(file.read_text(encoding="utf-8"))
            for entry in content if isinstance(content, list) else [content]:
                if isinstance(entry, dict) and entry.get("type") in TYPES:
                    for id_ in [*_listed(entry.get("id")), *_listed(entry.get("abstract"))]:
                        found.setdefault(id_, []).append(entry)
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value is not None else []


def inherited(known: dict[str, list[Object]], entry: Object, key: str, depth: int = 0) -> str:
    """The text of a key, from the object itself or from the one that it copies."""
    if key in entry:
        text = entry[key]
        if isinstance(text, dict):
            text = text.get("str", text.get("str_sp"))
        return str(_listed(text)[0])
    copied = known.get(entry.get("copy-from", ""), []) if depth < 10 else []
    texts = (inherited(known, other, key, depth + 1) for other in copied if other is not entry)
    return next(filter(None, texts), "")


def words(text: str) -> int:
    """Words by the count that limits captions: "S&W" are two, "5-shot" is one."""
    return len(re.findall(r"[\w'-]+", text))


def caption(name: str, description: str) -> str:
    """Name and whole sentences up to 32 words, stopping at 14; one long sentence is cut."""
    plain = " ".join(re.sub(r"</?[a-z_]+>", "", description).split())
    taken: list[str] = []
    count = 0
    for sentence in re.split(r"(?<=[.!?])\s+", plain):
        if taken and count + words(sentence) > 32:
            break
        taken.append(sentence)
        count += words(sentence)
        if count >= 14:
            break
    return f"{name}: {' '.join(' '.join(taken).split()[:32])}"


def read_sheets(folder: Path, config: Object) -> list[Sheet]:
    """The sprite sheets of a tile set, in the order that numbers the sprites."""
    default = config["tile_info"][0]
    sheets, first = [], 0
    for entry in config["tiles-new"]:
        image = Image.open(folder / entry["file"]).convert("RGBA")
        width = entry.get("sprite_width", default["width"])
        height = entry.get("sprite_height", default["height"])
        sheets.append(Sheet(first, image, width, height))
        first += (image.width // width) * (image.height // height)
    return sheets


def sprite(sheets: list[Sheet], number: int) -> Image.Image:
    """One sprite, as it lies in its sheet."""
    sheet = next(s for s in reversed(sheets) if s.first <= number)
    row, column = divmod(number - sheet.first, sheet.image.width // sheet.width)
    left, top = column * sheet.width, row * sheet.height
    return sheet.image.crop((left, top, left + sheet.width, top + sheet.height))


def number_of(value: Any) -> int | None:
    """The first sprite of a field that may hold a number, variants, or weighted variants."""
    while isinstance(value, list | dict):
        value = value.get("sprite") if isinstance(value, dict) else next(iter(value), None)
    return value if isinstance(value, int) and value >= 0 else None


def picture(sheets: list[Sheet], tile: Object) -> Pixels | None:
    """Foreground over background, cropped, fitted into 30 pixels, centred on white.

    Drawings of 31 or 32 pixels stay as they are, so that nothing is blurred for a pixel or two.
    """
    front, back = number_of(tile.get("fg")), number_of(tile.get("bg"))
    if front is None:
        return None
    image = sprite(sheets, front)
    behind = sprite(sheets, back) if back is not None else image
    if behind is not image and behind.size == image.size:
        image = Image.alpha_composite(behind, image)
    image = image.crop(image.getbbox() or (0, 0, 1, 1))
    longest = max(image.size)
    if longest not in (31, 32):
        size = tuple(max(1, round(side * (30 / longest))) for side in image.size)
        filter_ = Image.Resampling.NEAREST if longest <= 30 else Image.Resampling.LANCZOS
        image = image.resize((size[0], size[1]), filter_)
    canvas = Image.new("RGBA", (32, 32), "white")
    canvas.alpha_composite(image, ((32 - image.width) // 2, (32 - image.height) // 2))
    return np.asarray(canvas.convert("RGB"))


def tiles(game: Path) -> Iterator[Tile]:
    """Usable sprites in the order of the tile sets; flat and identical pictures are dropped."""
    known = objects(game)
    seen: set[bytes] = set()
    for tileset in TILESETS:
        folder = game / "gfx" / tileset
        config = json.loads((folder / "tile_config.json").read_text(encoding="utf-8"))
        sheets = read_sheets(folder, config)
        for tile in (tile for sheet in config["tiles-new"] for tile in sheet["tiles"]):
            for id_ in _listed(tile["id"]):
                described = describe(known, id_)
                image = picture(sheets, tile) if described else None
                if not described or image is None or image.tobytes() in seen or image.std() < 6:
                    continue
                seen.add(image.tobytes())
                yield Tile(tileset, id_, *described, image)


def describe(known: dict[str, list[Object]], id_: str) -> tuple[str, str] | None:
    """Type and caption of the first real object of this id, if the caption is fit for use."""
    for entry in known.get(id_, []):
        name, text = (inherited(known, entry, key) for key in ("name", "description"))
        if id_ in _listed(entry.get("id")) and name and text:
            said = caption(name, text)
            fit = words(said) >= 5 and id_ not in LEFT_OUT and not UNFIT.search(said + id_)
            return (entry["type"], said) if fit else None
    return None


def build(package: Path) -> tuple[str, Pixels, dict[str, bytes]]:
    """Lines and pictures, the first of each caption, and the licence files."""
    with tempfile.TemporaryDirectory() as unpacked:
        root = package
        if package.is_file():
            found = hashlib.sha256(package.read_bytes()).hexdigest()
            if found != PACKAGE_SHA256:
                sys.exit(f"{package} has sha256 {found}, not that of 0.F-3-9 ({PACKAGE_SHA256})")
            root = Path(unpacked)
            subprocess.run(["dpkg-deb", "-x", package, root], check=True)
        if not (root / GAME).is_dir():
            sys.exit(f"{root} holds no {GAME}; give the .deb or the folder it was unpacked into")
        primary: dict[str, Tile] = {}
        for tile in tiles(root / GAME):
            primary.setdefault(tile.caption, tile)
        credit = (root / GAME / "gfx" / "MshockXotto+" / "Credit.txt").read_bytes()
        copyright_ = (root / "usr/share/doc/cataclysm-dda-data/copyright").read_bytes()
    keys = ("id", "caption", "type", "tileset")
    lines = [
        json.dumps({key: getattr(tile, key) for key in keys}, ensure_ascii=False)
        for tile in primary.values()
    ]
    images = np.stack([tile.image for tile in primary.values()])
    notices = {"CREDIT-MshockXotto.txt": credit, "COPYRIGHT-debian.txt": copyright_}
    return "\n".join([*lines, ""]), images, notices


def main() -> None:
    """Build, then write or compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("package", type=Path, help="the .deb, or the folder it was unpacked into")
    parser.add_argument("--out", type=Path, default=ZOO, help="where the files are or go")
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    options = parser.parse_args()
    lines, images, notices = build(options.package)
    out: Path = options.out
    if not options.check:
        out.mkdir(parents=True, exist_ok=True)
        (out / "pairs.jsonl").write_bytes(lines.encode())
        np.savez_compressed(out / "images.npz", images=images)
        for name, content in notices.items():
            (out / name).write_bytes(content)
    same = {
        "pairs.jsonl": (out / "pairs.jsonl").read_bytes() == lines.encode(),
        "images.npz": np.array_equal(np.load(out / "images.npz")["images"], images),
        **{name: (out / name).read_bytes() == content for name, content in notices.items()},
    }
    differing = [name for name, equal in same.items() if not equal]
    print(f"{len(images)} pairs; {'differs: ' + ', '.join(differing) if differing else 'same'}")
    sys.exit(bool(differing))


if __name__ == "__main__":
    main()
