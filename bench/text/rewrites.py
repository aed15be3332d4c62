"""Rewrites made elsewhere: JSON lines `{"id": ..., "text": ..., "orig_sha256": ...}`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.errors import UsageError

Lines = dict[str, list[tuple[int, dict[str, Any]]]]
"""Number and content of the lines of every id."""


def read_rewrites(path: Path, captions: Mapping[str, str]) -> list[str]:
    """The text for every id of `captions`, in order; other ids in the file are of no concern.

    Where a line has `orig_sha256`, it must be the hash of the caption given here, so
    that rewrites of another version of the data are not taken for these.
    """
    lines = _by_id(path)
    for id_, (first, *others) in lines.items():
        if others:
            raise UsageError(
                f"{path}, line {others[0][0]}: id '{id_}' is on line {first[0]} already"
            )
    return [texts[0] for texts in _texts(path, lines, captions)]


def read_several_rewrites(path: Path, captions: Mapping[str, str]) -> list[list[str]]:
    """As `read_rewrites`, but an id may have several lines: all their texts, in order."""
    return _texts(path, _by_id(path), captions)


def _texts(path: Path, lines: Lines, captions: Mapping[str, str]) -> list[list[str]]:
    missing = [id_ for id_ in captions if id_ not in lines]
    if missing:
        raise UsageError(
            f"{path} has no rewrite for {len(missing)} of {len(captions)} captions, "
            f"e.g. id '{missing[0]}'; add a line for each"
        )
    for id_, caption in captions.items():
        digest = hashlib.sha256(caption.encode()).hexdigest()
        for number, record in lines[id_]:
            if record.get("orig_sha256") not in (None, "", digest):
                raise UsageError(
                    f"{path}, line {number}: orig_sha256 is not that of the caption of '{id_}'; "
                    "the rewrites belong to other captions"
                )
    return [[" ".join(record["text"].split()) for _, record in lines[id_]] for id_ in captions]


def _by_id(path: Path) -> Lines:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"no file of rewrites at {path}; see path=") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the rewrites in {path}: {error}") from None
    found: Lines = {}
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            record = _record(f"{path}, line {number}", line)
            found.setdefault(record["id"], []).append((number, record))
    return found


def _record(where: str, line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise UsageError(f"{where}: not JSON ({error})") from None
    if not isinstance(record, dict):
        raise UsageError(f'{where}: want an object {{"id": ..., "text": ...}}')
    for key in ("id", "text"):
        value = record.get(key)
        if not isinstance(value, str) or not value.strip():
            raise UsageError(f"{where}: '{key}' is missing, empty or no text")
    if not isinstance(record.get("orig_sha256", ""), str):
        raise UsageError(f"{where}: 'orig_sha256' is no text")
    return record
