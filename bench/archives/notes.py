"""Whether the note of a run, from who knows where, is one."""

from __future__ import annotations

import re
from typing import Any

from bench.request import Request
from bench.runs import Run, id_of, parsed

KEY = r"[0-9a-f]{64}"
ASKED = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
PARTS = {"asked", "requests", "metrics", "stages"}


def flaw_of_note(id_: str, note: Any) -> str | None:
    """What is wrong with it, in a few words."""
    if not isinstance(note, dict) or not set(note) <= PARTS:
        return "no note of a run"
    if not _all_printable(note):
        return "its note holds characters that no command has"
    run = parsed(id_, note)
    return "its note cannot be read by this version" if run is None else _flaw(run)


def _flaw(run: Run) -> str | None:
    from pydantic import TypeAdapter, ValidationError

    if not _is(ASKED, run.asked) or not all(_is(KEY, key) for key in (*run.metrics, *run.stages)):
        return "its note names no stages"
    if id_of(run.metrics) != run.id:
        return "its note is that of another run"
    try:
        for request in run.requests:
            TypeAdapter(Request).validate_python(vars(request))
    except ValidationError:
        return "its note asks for nothing that a command could"
    return None


def _is(pattern: str, text: Any) -> bool:
    return isinstance(text, str) and re.fullmatch(pattern, text) is not None


def _all_printable(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_all_printable, (*value, *value.values())))
    if isinstance(value, list):
        return all(map(_all_printable, value))
    return not isinstance(value, str) or value.isprintable()
