"""What an entry is called and where it goes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.entries.collect import Model
from bench.entries.entry import model_hash
from bench.entries.load import load
from bench.entries.schema import DOCUMENT, SCORES
from bench.entries.sealing import digest, text_of
from bench.errors import UsageError, ValidationError
from bench.files import full_disk_is_told, make_folder, write_atomic


def named(models: Sequence[Model], name: str | None) -> dict[str, Model]:
    """The models by the names of their entries; `name` is for a single one."""
    if name is not None:
        if len(models) > 1:
            raise UsageError(f"--name {name} is one name for {len(models)} models; leave it out")
        return {name: models[0]}
    slugs = [slug(model) for model in models]
    return {
        one if Counter(slugs)[one] == 1 else f"{one}-{digest(model.card)[:6]}": model
        for one, model in zip(slugs, models, strict=True)
    }


def slug(model: Model) -> str:
    """The usual name: the defense, and what sets the model apart from the usual one."""
    card = model.card
    parts = [card["defense"]["label"]]
    parts += [f"at-{card['at']:04d}"] if card["at"] is not None else []
    parts += [card["augment"]] if card["augment"] != "default" else []
    parts += [card["recipe"]["name"]] if card["recipe"]["name"] != "mini" else []
    plain = re.sub(r"[^a-z0-9._]+", "-", "-".join(parts).lower()).strip("-._")
    return plain[:70] or "entry"


def check_place(out: Path, document: Mapping[str, Any]) -> None:
    """ValidationError where writing would put an end to somebody else's entry."""
    place = out / document["name"]
    if not place.exists():
        return
    try:
        other = load(place).model != model_hash(document["target"])
    except ValidationError:
        other = any(path.name not in (DOCUMENT, SCORES) for path in place.iterdir())
    if other:
        raise ValidationError(
            f"{place} is there and is not about this model; give another --name or --out"
        )


def write(out: Path, document: Mapping[str, Any], scores: bytes) -> Path:
    """Writes the two files of an entry, each whole or not at all; its folder."""
    with full_disk_is_told(out):
        place = make_folder(out / document["name"], "--out")
        write_atomic(place / SCORES, scores)
        write_atomic(place / DOCUMENT, text_of(document).encode())
    return place
