"""OpenMoji (CC-BY-SA-4.0): drawings with a name and tags."""

import json
from collections.abc import Iterator
from pathlib import Path

SKIPPED_GROUPS = frozenset({"component", "extras-unicode"})
SKIPPED_SUBGROUPS = frozenset({"country-flag", "subdivision-flag", "keycap", "brand", "alphanum"})


def openmoji_entries(package: Path) -> Iterator[tuple[Path, str, list[str]]]:
    """(SVG path, name, keywords) of every emoji without its skin-tone variants and most flags."""
    for row in json.loads((package / "data/openmoji.json").read_text(encoding="utf-8")):
        if row["skintone"] or row["skintone_combination"]:
            continue
        if row["group"] in SKIPPED_GROUPS or row["subgroups"] in SKIPPED_SUBGROUPS:
            continue
        if "keycap" in row["annotation"] or "hair" in row["tags"]:
            continue
        svg = package / "color/svg" / f"{row['hexcode']}.svg"
        if svg.exists():
            yield svg, row["annotation"].lower(), _keywords(row)


def _keywords(row: dict[str, str]) -> list[str]:
    """Tags in their order, without repeats and without the name itself; the group comes last."""
    group = "" if row["group"].startswith("extras") else row["group"].replace("-", " ")
    tags = f"{row['openmoji_tags']},{row['tags']},{group}".lower().replace("“", "").split(",")
    words = [" ".join(tag.split()) for tag in tags]
    name = row["annotation"].lower()
    return [word for word in dict.fromkeys(words) if word and word != name][:8]
