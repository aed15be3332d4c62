"""Reads `entry.json` as text from a stranger: bounded, without NaN, double keys or hidden signs."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from bench.entries.problems import AGAIN, FlawError, plain, shown
from bench.entries.schema import DOCUMENT, SCHEMA, Document
from bench.entries.sealing import digests, text_of

MOST_BYTES = 2 << 20
DEEPEST = 24
TAG = re.compile(r"<[a-zA-Z/!?]")
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
"""Unicode categories of signs that are not seen: controls, marks of direction, half characters."""
SOURCE_MAY = "\n\t\r"


def parse(data: bytes) -> dict[str, Any]:
    """The JSON object, every number finite and every key once."""
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        raise FlawError(
            DOCUMENT, f"byte {error.start} is not ASCII (other signs as \\u....)"
        ) from None
    try:
        found = json.loads(
            text, object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite
        )
    except RecursionError:
        raise FlawError(DOCUMENT, f"nested deeper than {DEEPEST} levels") from None
    except json.JSONDecodeError as error:
        raise FlawError(DOCUMENT, f"line {error.lineno} is no JSON ({error.msg})") from None
    except ValueError:  # Python refuses whole numbers of thousands of digits
        raise FlawError(DOCUMENT, "a whole number of thousands of digits") from None
    if not isinstance(found, dict):
        raise FlawError(DOCUMENT, "no JSON object")
    for where, value in _strings(found):
        _check_string(where, value)
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise FlawError(DOCUMENT, f"key {shown(twice)} is given twice")
    return found


def _no_constant(name: str) -> float:
    raise FlawError(DOCUMENT, f"{name} is no number of JSON")


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise FlawError(DOCUMENT, f"{shown(text)} is too large a number")
    return number


def _strings(value: Any, where: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every text of the document, keys too, with its place."""
    if len(where) > DEEPEST:
        raise FlawError(DOCUMENT, f"nested deeper than {DEEPEST} levels")
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield (*where, "a key"), key
            yield from _strings(inner, (*where, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _strings(inner, (*where, str(number)))


def _check_string(where: tuple[str, ...], text: str) -> None:
    if text.isascii() and text.isprintable() and "<" not in text:
        return
    source = where[-1] == "text" and ("parts" in where or "attack" in where)
    for sign in text:
        if unicodedata.category(sign) in HIDDEN and not (source and sign in SOURCE_MAY):
            what = f"holds the hidden sign U+{ord(sign):04X}"
            raise FlawError(".".join(map(plain, where)), what, "remove it")
    if not source and TAG.search(text):
        what = f"holds HTML: {shown(text)}"
        raise FlawError(".".join(map(plain, where)), what, "use plain words")


def checked(found: dict[str, Any]) -> Document:
    """The document as typed fields; FlawError at the first field that is not as documented."""
    from pydantic import ValidationError

    version = found.get("schema_version")
    if version != SCHEMA or isinstance(version, bool):
        what = f"schema_version is {shown(version)}; this bench reads {SCHEMA}"
        raise FlawError(DOCUMENT, what, "use the bench that wrote it, or submit again")
    try:
        return Document.model_validate(found, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(plain(str(part)) for part in first["loc"])
        raise FlawError(f"{DOCUMENT} {where}", first["msg"], AGAIN) from None


def unsealed(data: bytes, found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Where the document is no longer as it was written: (where, what, what to do)."""
    stated, real = found["digests"], digests(found)
    if stated.keys() != real.keys():
        odd = min(stated.keys() ^ real.keys())
        return [("digests", f"{shown(odd)} is missing or has nothing to be of", AGAIN)]
    wrong = [
        (where, "differs from its digest", f"undo the change, or {AGAIN}")
        for where, digest in real.items()
        if digest != stated[where]
    ]
    if not wrong and data != text_of(found).encode():
        lines = zip(data.split(b"\n"), text_of(found).encode().split(b"\n"), strict=False)
        odd_line = next((i for i, (a, b) in enumerate(lines, 1) if a != b), "the last")
        wrong = [(DOCUMENT, f"line {odd_line} is not as `bench submit` writes it", AGAIN)]
    return wrong
