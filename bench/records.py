"""Whether the record of a finished stage, and the files beside it, are what was written."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.files import file_digest
from bench.specs import canonical


def flaw_in(folder: Path, kind: str, key: str) -> str | None:
    """What is wrong with the folder of an entry, wherever it lies."""
    try:
        record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        if digest_json(record["spec"]) != key or record["spec"]["kind"] != kind:
            return "record.json: not the specification of this key"
        if record["result_digest"] != digest_json(record["result"]):
            return "record.json: the result differs from its digest"
        if not _timed(record):
            return "record.json: it does not say how long it took"
        return next(_flaws_of_files(folder, record["files"]), None)
    except FileNotFoundError as error:
        return f"{Path(error.filename).name}: missing"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "record.json: unreadable"


def _flaws_of_files(folder: Path, files: Mapping[str, str]) -> Iterator[str]:
    for name, digest in files.items():
        if not plain_name(name):
            yield f"record.json: {name!r} is no name of an artefact"
        elif file_digest(folder / name) != digest:
            yield f"{name}: content differs from its digest"


def plain_name(name: str) -> bool:
    """Whether it can only name a file directly in a folder, and one that `ls` shows."""
    return re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}", name) is not None


def sound_record_in(path: Path, kind: str, key: str) -> dict[str, Any] | None:
    """The record, if it belongs to this key and its result is the one that was written."""
    try:
        return sound_record(path.read_bytes(), kind, key)
    except OSError:
        return None


def sound_record(text: bytes, kind: str, key: str) -> dict[str, Any] | None:
    """The same of a record's bytes."""
    try:
        record: dict[str, Any] = json.loads(text)
        digests = digest_json(record["spec"]), digest_json(record["result"])
        sound = digests == (key, record["result_digest"]) and record["spec"]["kind"] == kind
        sound = sound and _timed(record)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return record if sound else None


def _timed(record: Mapping[str, Any]) -> bool:
    """What stands beside a result is in no digest; of it estimates read this."""
    seconds = record["made"]["seconds"]
    return isinstance(seconds, int | float) and math.isfinite(seconds)


def digest_json(value: Any) -> str:
    """sha256 of the canonical form of what JSON makes of it."""
    return hashlib.sha256(canonical(json.loads(json.dumps(value))).encode()).hexdigest()
