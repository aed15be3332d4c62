"""Rewrites made elsewhere: JSON lines `{"id": ..., "text": ..., "orig_sha256": ...}`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.errors import UsageError


def read_rewrites(path: Path, captions: Mapping[str, str]) -> list[str]:
    """The text for every id of `captions`, in order; other ids in the file are of no concern.

    Where a line has `orig_sha256`, it must be the hash of the caption given here, so
    that rewrites of another version of the data are not taken for these.
    """
    lines = _by_id(path)
    missing = [id_ for id_ in captions if id_ not in lines]
    if missing:
        raise UsageError(
            f"{path} has no rewrite for {len(missing)} of {len(captions)} captions, "
            f"e.g. id '{missing[0]}'; add a line for each"
        )
    found = []
    for id_, caption in captions.items():
        number, record = lines[id_]
        wanted = record.get("orig_sha256")
        if wanted and wanted != hashlib.sha256(caption.encode()).hexdigest():
            raise UsageError(
                f"{path}, line {number}: orig_sha256 is not that of the caption of '{id_}'; "
                "the rewrites belong to other captions"
            )
        found.append(" ".join(record["text"].split()))
    return found


def _by_id(path: Path) -> dict[str, tuple[int, dict[str, Any]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"no file of rewrites at {path}; see defense reph, path=") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the rewrites in {path}: {error}") from None
    found: dict[str, tuple[int, dict[str, Any]]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            record = _record(f"{path}, line {number}", line)
            if record["id"] in found:
                first = found[record["id"]][0]
                raise UsageError(
                    f"{path}, line {number}: id '{record['id']}' is on line {first} already"
                )
            found[record["id"]] = (number, record)
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
