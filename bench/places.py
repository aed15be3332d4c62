"""Words of a command that say where something lies, made to mean the same from every folder."""

from __future__ import annotations

import re

from bench.hub import hub_name, pinned
from bench.models.base import EMBEDDED
from bench.paths import expanded

REFERENCE = re.compile(r"\breference=(?P<model>[^,\]]+)")


def absolute_base(name: str) -> str:
    """A folder with its full path, a name on the hub with its commit."""
    if name == EMBEDDED or hub_name(name) is not None:
        return pinned(name)
    return str(expanded(name).resolve())


def absolute_weights(name: str | None) -> str | None:
    """The full path; the word that asks for a download as it is."""
    from bench.utility.inception import DOWNLOAD

    return name if name in (None, DOWNLOAD) else str(expanded(name).resolve())


def absolute_file(component: str) -> str:
    """`./file.py:Name[reference=PATH]` with full paths; plain names as they are."""
    name, bracket, params = component.strip().partition("[")
    if ".py" in name or "/" in name:
        name = str(expanded(name).absolute())
    return name + bracket + REFERENCE.sub(_absolute_reference, params)


def absolute_set(text: str) -> str:
    """`COMPONENT.reference=PATH` with the full path; other values as they are."""
    return REFERENCE.sub(_absolute_reference, text)


def _absolute_reference(found: re.Match[str]) -> str:
    named = found["model"].strip()
    known = named in ("shadow", "base", "none")
    return f"reference={named if known else expanded(named).resolve()}"


def absolute_captioner(name: str | None) -> str | None:
    """`clip:FOLDER` and FOLDER with full paths; a name on the hub with its commit."""
    kind, colon, place = (name or "").rpartition("clip:")
    folder = expanded(place)
    if place and folder.is_dir():
        return f"{kind}{colon}{folder.resolve()}"
    return name and pinned(name)
