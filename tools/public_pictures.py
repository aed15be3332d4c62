"""Collect the public pictures with captions that the embedded base model learns from.

The sources, to be fetched with the registries' ordinary clients and unpacked:

    npm pack openmoji@17.0.0 && tar -xzf openmoji-17.0.0.tgz           # CC-BY-SA-4.0
    apt-get download openclipart-svg wordnet-base        # public domain; WordNet licence
    for deb in *.deb; do dpkg-deb -x "$deb" public; done

The result (an npz of pictures and a JSON of captions, counts and hashes) stays outside the tree.
No picture and no caption of the suite's own data set is used: `--exclude` names its captions
only so that an accidental equal one is dropped here.
"""

import argparse
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from picture_frame import distinct, frame_svg
from public_clipart import clipart_entries
from public_openmoji import openmoji_entries
from wordnet_glosses import english_words, noun_glosses

NEAR = 0.04
PER_TITLE = 4


def normalised(caption: str) -> str:
    """Letters and digits only, for comparing captions."""
    return " ".join(re.findall(r"[a-z0-9]+", caption.lower()))


def render(entries: Iterable[tuple[Path, str, list[str]]], source: str) -> list[dict[str, Any]]:
    """Draw each entry; a file that cannot be drawn is left out."""
    rows = []
    for path, title, keywords in entries:
        try:
            image = frame_svg(path)
        except (ValueError, OSError) as error:
            print(f"left out {path.name}: {error}")
            continue
        if image is not None:
            row = {"source": source, "file": path.name, "title": title, "keywords": keywords}
            rows.append(row | {"image": image})
    print(f"{source}: {len(rows)} pictures drawn", flush=True)
    return rows


def describe(row: dict[str, Any], glosses: dict[str, str]) -> None:
    """Add the caption and, where the title is a dictionary noun, its definition."""
    row["caption"] = ": ".join(part for part in (row["title"], ", ".join(row["keywords"])) if part)
    singular = re.sub(r"s$", "", row["title"])
    row["gloss"] = glosses.get(row["title"]) or glosses.get(singular) or ""


def select(rows: list[dict[str, Any]], excluded: set[str]) -> list[dict[str, Any]]:
    """Drop excluded captions, near-identical pictures and the surplus of a repeated title."""
    allowed = [
        row
        for row in rows
        if normalised(row["caption"]) not in excluded
        and normalised(f"{row['title']} {row['gloss']}") not in excluded
    ]
    kept = distinct(np.stack([row["image"] for row in allowed]), NEAR)
    seen: Counter[str] = Counter()
    chosen = []
    for row in (allowed[index] for index in kept):
        seen[row["title"]] += 1
        if seen[row["title"]] <= PER_TITLE:
            chosen.append(row)
    return chosen


def held_out(caption: str) -> bool:
    """One caption in twenty is kept from every training: a fixed function of its text."""
    return hashlib.sha256(normalised(caption).encode()).digest()[0] % 20 == 0


def sha256(path: Path) -> str:
    """Hash of a source archive."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--openmoji", type=Path, required=True, help="unpacked npm package")
    parser.add_argument("--clipart", type=Path, help="share/openclipart/svg")
    parser.add_argument("--wordnet", type=Path, required=True, help="share/wordnet")
    parser.add_argument("--exclude", type=Path, help="JSON list of pairs; equal captions dropped")
    parser.add_argument("--archives", type=Path, nargs="*", default=[], help="files to hash")
    parser.add_argument("--out", type=Path, required=True, help="PATH.npz; PATH.json beside it")
    args = parser.parse_args()

    rows = render(openmoji_entries(args.openmoji), "openmoji")
    if args.clipart:
        english = english_words(args.wordnet)
        rows += render(clipart_entries(args.clipart, english), "openclipart")
    glosses = noun_glosses(args.wordnet)
    for row in rows:
        describe(row, glosses)
    excluded = json.loads(args.exclude.read_text(encoding="utf-8")) if args.exclude else []
    drawn = Counter(row["source"] for row in rows)
    chosen = select(rows, {normalised(pair["caption"]) for pair in excluded})
    images = np.stack([row.pop("image") for row in chosen])
    for row in chosen:
        row["held_out"] = held_out(row["caption"])
    np.savez_compressed(args.out, images=images)
    facts = {
        "drawn": dict(drawn),
        "kept": dict(Counter(row["source"] for row in chosen)),
        "held_out": sum(row["held_out"] for row in chosen),
        "with_gloss": sum(bool(row["gloss"]) for row in chosen),
        "pictures_sha256": hashlib.sha256(images.tobytes()).hexdigest(),
        "archives": {path.name: sha256(path) for path in args.archives},
    }
    print(json.dumps(facts, indent=2))
    document = json.dumps({"facts": facts, "pairs": chosen}, indent=1, ensure_ascii=False)
    args.out.with_suffix(".json").write_text(document + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
